// Clients of busy sessions: each sends a request on its own connection, many times a second. Reports on demand how long the
// answers took, and how many were none or not the server's, but for the session that is killed.
import { connect } from "node:net"

const [, , port, sessions, perSecond, victim] = process.argv
const interval = 1_000 / Number(perSecond)
let times = []
let failures = []

/** One client. It connects again when it loses its connection, as clients do. */
const run = (index) => {
  const id = `busy-${index}`
  const isVictim = id === victim
  let askedAt = 0
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true })
  const failed = (why) => {
    if (!isVictim) failures.push(`${id}: ${why}`)
  }
  const ask = () => {
    if (socket.destroyed) return
    askedAt = performance.now()
    socket.write(`GET /${id}/x HTTP/1.1\r\nHost: h\r\n\r\n`)
  }
  socket.on("connect", () => setTimeout(ask, Math.random() * interval))
  socket.on("data", (data) => {
    const took = performance.now() - askedAt
    const status = data.toString("latin1", 9, 12)
    if (status !== "200") failed(status)
    else if (!isVictim) times.push(took)
    setTimeout(ask, Math.max(0, interval * (0.5 + Math.random()) - took))
  })
  socket.on("error", (error) => failed(error.message))
  socket.on("close", () => {
    failed("closed")
    setTimeout(run, 10, index)
  })
}

for (let index = 0; index < Number(sessions); index++) run(index)

process.on("message", () => {
  const sorted = times.toSorted((one, other) => one - other)
  const part = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  process.send?.({ count: sorted.length, failures, median: part(0.5), p99: part(0.99), longest: part(1) })
  times = []
  failures = []
})
process.on("disconnect", () => process.exit())
