// Requests at a fixed rate, even if earlier ones have no answer yet: measures the latency when nothing is saturated. A
// request never waits for a connection; if none is free, a new one is opened.
import { dial } from "./RawHttp.mjs"
import { openWindow, percentile } from "./Window.mjs"

/** @param {import("./NodeLoad.mjs").Against & { path: string, rate: number, warmUp: number }} task a second */
export const load = async ({ port, pids, seconds, path, rate, warmUp }) => {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`
  const free = /** @type {import("node:net").Socket[]} */ ([])
  const delays = /** @type {number[]} */ ([])
  let count = 0
  let errors = 0

  const open = async () => {
    const socket = await dial(port)
    socket.on("error", () => (errors += 1))
    return socket
  }

  const send = async () => {
    const socket = free.pop() ?? (await open())
    const since = performance.now()
    let text = ""
    /** @param {Buffer} bytes */
    const take = (bytes) => {
      text += bytes.toString("latin1")
      const end = text.indexOf("\r\n\r\n")
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? Number.POSITIVE_INFINITY)
      if (end < 0 || text.length < end + 4 + length) return
      socket.off("data", take)
      if (!text.startsWith("HTTP/1.1 200")) errors += 1
      delays.push(performance.now() - since)
      count += 1
      free.push(socket)
    }
    socket.on("data", take)
    socket.write(request)
  }

  /** @param {number} milliseconds */
  const run = (milliseconds) =>
    new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      const since = performance.now()
      let sent = 0
      const timer = setInterval(() => {
        const elapsed = performance.now() - since
        const due = Math.floor((Math.min(elapsed, milliseconds) * rate) / 1000)
        for (; sent < due; sent += 1) void send().catch(() => (errors += 1))
        if (elapsed < milliseconds) return
        clearInterval(timer)
        resolve()
      }, 1)
    })

  for (let i = 0; i < 8; i += 1) free.push(await open())
  await run(warmUp * 1000)
  count = 0
  delays.length = 0
  const close = openWindow(pids)
  await run(seconds * 1000)
  const total = count
  return { ...close(), count: total, errors, p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) }
}
