// Many event streams of small events: counts the events, and measures the latency of each.
import { setTimeout as sleep } from "node:timers/promises"
import { dial, readHead } from "./RawHttp.mjs"
import { openWindow, percentile } from "./Window.mjs"

/** Text that is in every event once, and nowhere else on the wire. */
const mark = "~".charCodeAt(0)

/** @param {import("./NodeLoad.mjs").Against & { path: string, streams: number, warmUp: number }} task */
export const load = async ({ port, pids, seconds, path, streams, warmUp }) => {
  let count = 0
  let errors = 0
  const delays = /** @type {number[]} */ ([])

  /** @param {Buffer} bytes */
  const take = (bytes) => {
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
      count += 1
      const sent = bytes.toString("latin1", at + 1, at + 24).split(";")[0] ?? ""
      delays.push(Number(process.hrtime.bigint() - BigInt(sent)) / 1e6)
    }
  }

  const open = async () => {
    const socket = await dial(port)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`)
    const { status } = await readHead(socket)
    if (status !== 200) throw new Error(`a stream was answered ${status}`)
    socket.on("error", () => (errors += 1)).on("end", () => (errors += 1))
    socket.on("data", take).resume()
  }

  await Promise.all(Array.from({ length: streams }, open))
  await sleep(warmUp * 1000)
  count = 0
  delays.length = 0
  const close = openWindow(pids)
  await sleep(seconds * 1000)
  const total = count
  return { ...close(), count: total, errors, p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) }
}
