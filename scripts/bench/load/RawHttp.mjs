// A minimal HTTP client for the loads. It is cheap, so that the core that it shares with the origin does not become the
// limit.
import { connect } from "node:net"

/**
 * A connected socket.
 *
 * @param {number} port
 * @returns {Promise<import("node:net").Socket>}
 */
export const dial = (port) =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true })
    socket.once("error", reject)
    socket.once("connect", () => {
      socket.off("error", reject)
      resolve(socket)
    })
  })

/** @typedef {{ status: number, head: string, rest: Buffer }} AnswerHead */

/**
 * Reads until the head of an answer is complete. `rest`: bytes after the head. The socket is paused afterwards.
 *
 * @param {import("node:net").Socket} socket
 * @returns {Promise<AnswerHead>}
 */
export const readHead = (socket) =>
  new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const gone = () => reject(new Error("the connection ended before an answer"))
    /** @param {Buffer} chunk */
    const more = (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf("\r\n\r\n")
      if (end < 0) return
      socket.pause().off("data", more).off("close", gone).off("error", reject)
      const head = bytes.toString("latin1", 0, end)
      resolve({ status: Number(head.slice(9, 12)), head, rest: bytes.subarray(end + 4) })
    }
    socket.on("data", more).once("close", gone).once("error", reject).resume()
  })

/**
 * Sends a GET, and reads the whole answer, which must have a Content-Length.
 *
 * @param {import("node:net").Socket} socket
 * @param {string} path
 * @returns {Promise<number>} the status
 */
export const ask = async (socket, path) => {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
  const { status, head, rest } = await readHead(socket)
  await readBody(socket, head, rest)
  return status
}

/**
 * Reads and drops a body with a Content-Length. The socket is paused afterwards.
 *
 * @param {import("node:net").Socket} socket
 * @param {string} head of the same answer
 * @param {Buffer} rest the bytes of the body that have arrived already
 */
export const readBody = async (socket, head, rest) => {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error("an answer has no Content-Length")
  let left = Number(length) - rest.length
  if (left <= 0) return
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const gone = () => reject(new Error("the connection ended within an answer"))
    /** @param {Buffer} bytes */
    const take = (bytes) => {
      left -= bytes.length
      if (left > 0) return
      socket.pause().off("data", take).off("close", gone)
      resolve()
    }
    socket.on("data", take).once("close", gone).resume()
  })
}

/**
 * Opens a WebSocket, and returns its connection.
 *
 * @param {number} port
 * @param {string} path
 */
export const openWebSocket = async (port, path) => {
  const socket = await dial(port)
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  )
  const { status } = await readHead(socket)
  if (status !== 101) throw new Error(`the upgrade was answered ${status}`)
  return socket
}
