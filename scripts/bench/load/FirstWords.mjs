// Whether a stream or a WebSocket works through a proxy at all, before it is measured.
import { openWebSocket, dial, readHead } from "./RawHttp.mjs"

/** Time limit for the first bytes, in milliseconds. */
const patience = 3000

/**
 * @param {import("node:net").Socket} socket
 * @param {(bytes: Buffer) => boolean} isEnough
 * @returns {Promise<boolean>} whether enough came in time
 */
const arrives = (socket, isEnough) =>
  new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const timer = setTimeout(() => resolve(false), patience)
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      if (!isEnough(bytes)) return
      clearTimeout(timer)
      resolve(true)
    })
    socket.on("error", () => {}).resume()
  })

/**
 * Checks an event stream: its events must arrive while it is open. Returns the problem, if there is one.
 *
 * @param {number} port
 * @param {string} path
 * @returns {Promise<string | undefined>}
 */
export const openEventStream = async (port, path) => {
  const socket = await dial(port)
  try {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`)
    const { status } = await readHead(socket)
    if (status !== 200) return `answers ${status}`
    const events = await arrives(socket, (bytes) => bytes.toString("latin1").split("~").length > 3)
    return events ? undefined : "holds events back"
  } catch (error) {
    return String(error)
  } finally {
    socket.destroy()
  }
}

/**
 * Checks a WebSocket: a message must come back with the same length. Returns the problem, if there is one.
 *
 * @param {number} port
 * @param {string} path
 * @param {number} size of the message
 * @returns {Promise<string | undefined>}
 */
export const openEcho = async (port, path, size) => {
  try {
    const socket = await openWebSocket(port, path)
    const extended = size < 126 ? 0 : 2
    const frame = Buffer.alloc(6 + extended + size, "e")
    frame[0] = 0x82
    frame[1] = 0x80 | (extended === 0 ? size : 126)
    if (extended !== 0) frame.writeUInt16BE(size, 2)
    frame.fill(0, 2 + extended, 6 + extended)
    socket.write(frame)
    const expected = Buffer.concat([
      Buffer.from([0x82, extended === 0 ? size : 126]),
      frame.subarray(2, 2 + extended),
      frame.subarray(6 + extended),
    ])
    const isBack = await arrives(socket, (bytes) => bytes.length >= expected.length && bytes.equals(expected))
    socket.destroy()
    return isBack ? undefined : "does not bring a message back"
  } catch (error) {
    return String(error)
  }
}
