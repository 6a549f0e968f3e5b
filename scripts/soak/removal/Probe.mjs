// A client of another session: sends a request every few milliseconds, and reports on demand how long the answers took.
import { connect } from "node:net"

const [, , port] = process.argv
const socket = connect(Number(port), "127.0.0.1")
let askedAt = 0
let times = []

const ask = () => {
  askedAt = performance.now()
  socket.write("GET /calm/x HTTP/1.1\r\nHost: h\r\n\r\n")
}
socket.on("data", () => {
  times.push(performance.now() - askedAt)
  setTimeout(ask, 2)
})
socket.on("connect", ask)

process.on("message", () => {
  const sorted = times.toSorted((one, other) => one - other)
  times = []
  const part = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  process.send?.({ count: sorted.length, median: part(0.5), p99: part(0.99), longest: part(1) })
})
process.on("disconnect", () => process.exit())
