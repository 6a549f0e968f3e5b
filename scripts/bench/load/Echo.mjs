// Echoed WebSocket messages: a number of connections, with a number of messages in flight on each.
import { setTimeout as sleep } from "node:timers/promises"
import { openWebSocket } from "./RawHttp.mjs"
import { openWindow, percentile } from "./Window.mjs"

/**
 * A binary message as a client sends it. Its mask is zero, so that the echo server need not unmask it.
 *
 * @param {number} size
 */
const clientFrame = (size) => {
  const isShort = size < 126
  const head = Buffer.alloc(isShort ? 6 : 8)
  head[0] = 0x82
  head[1] = 0x80 | (isShort ? size : 126)
  if (!isShort) head.writeUInt16BE(size, 2)
  return Buffer.concat([head, Buffer.alloc(size, "e")])
}

/**
 * @typedef {object} EchoTask
 * @property {string} path
 * @property {number} connections
 * @property {number} inFlight
 * @property {number} size bytes of payload
 * @property {number} warmUp seconds
 */

/** @param {import("./NodeLoad.mjs").Against & EchoTask} task */
export const load = async ({ port, pids, seconds, path, connections, inFlight, size, warmUp }) => {
  const frame = clientFrame(size)
  const echoBytes = frame.length - 4
  let count = 0
  let errors = 0
  let isOver = false
  const delays = /** @type {number[]} */ ([])

  const open = async () => {
    const socket = await openWebSocket(port, path)
    const sent = /** @type {number[]} */ ([])
    let pending = 0
    /** @param {number} messages */
    const send = (messages) => {
      socket.write(messages === 1 ? frame : Buffer.concat(Array.from({ length: messages }, () => frame)))
      const now = performance.now()
      for (let i = 0; i < messages; i += 1) sent.push(now)
    }
    socket.on("data", (bytes) => {
      pending += bytes.length
      const echoes = Math.floor(pending / echoBytes)
      if (echoes === 0) return
      pending -= echoes * echoBytes
      count += echoes
      const now = performance.now()
      for (const at of sent.splice(0, echoes)) delays.push(now - at)
      send(echoes)
    })
    const failed = () => {
      if (!isOver) errors += 1
    }
    socket.on("error", failed).on("end", failed).resume()
    send(inFlight)
  }

  await Promise.all(Array.from({ length: connections }, open))
  await sleep(warmUp * 1000)
  count = 0
  delays.length = 0
  const close = openWindow(pids)
  await sleep(seconds * 1000)
  const total = count
  isOver = true
  return { ...close(), count: total, errors, p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) }
}
