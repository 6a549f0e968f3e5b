// The server behind the proxies if there is no nginx, and always for event streams, WebSocket echo and reading an
// upload to its end, which nginx cannot do. A program: `node NodeOrigin.mjs`. It prints `listening PORT`, and ends when
// its standard input ends.
import { createHash } from "node:crypto"
import { createServer } from "node:http"
import { answers, bulkBytes, eventInterval } from "./Answers.mjs"

const bulkPiece = Buffer.alloc(64 * 1024, "b")

/**
 * @param {import("node:http").ServerResponse} response
 * @param {string | Buffer} body
 */
const answer = (response, body) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

/** @param {import("node:http").ServerResponse} response */
const sendBulk = (response) => {
  response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bulkBytes })
  let left = bulkBytes / bulkPiece.length
  const more = () => {
    while (left > 0) {
      left -= 1
      if (!response.write(bulkPiece)) return
    }
    response.end()
  }
  response.on("drain", more)
  more()
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
const readUpload = (request, response) => {
  let bytes = 0
  request.on("data", (chunk) => (bytes += chunk.length))
  request.on("end", () => answer(response, JSON.stringify({ bytes })))
}

/** The open event streams, in groups that get their events at different times within an interval. */
const turns = /** @type {Array<Set<import("node:http").ServerResponse>>} */ ([
  new Set(),
  new Set(),
  new Set(),
  new Set(),
])
let turn = 0

/** @param {import("node:http").ServerResponse} response */
const openStream = (response) => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
  response.flushHeaders()
  response.socket?.setNoDelay(true)
  const streams = turns[(turn += 1) % turns.length]
  streams?.add(response)
  response.once("close", () => streams?.delete(response))
}

let beat = 0
setInterval(() => {
  const streams = turns[(beat += 1) % turns.length]
  const event = `data: {"token":"hello","at":"~${process.hrtime.bigint()};"}\n\n`
  for (const stream of streams ?? []) stream.write(event)
}, eventInterval / turns.length)

const server = createServer((request, response) => {
  const path = request.url ?? "/"
  if (path.endsWith("/events")) return openStream(response)
  if (path.endsWith("/bulk")) return sendBulk(response)
  if (path.endsWith("/upload")) return readUpload(request, response)
  request.resume()
  answer(response, path.endsWith("/large") ? answers.large : answers.small)
})

/**
 * Sends every complete frame of `bytes` back without its mask, and returns what is left over.
 *
 * @param {import("node:net").Socket} socket
 * @param {Buffer} bytes
 * @returns {Buffer}
 */
const echoFrames = (socket, bytes) => {
  let at = 0
  socket.cork()
  while (bytes.length - at >= 6) {
    const short = (bytes[at + 1] ?? 0) & 0x7f
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0
    const headBytes = 2 + extended + 4
    if (bytes.length - at < headBytes) break
    const length = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6)
    if (bytes.length - at < headBytes + length) break
    const head = Buffer.from(bytes.subarray(at, at + 2 + extended))
    head[1] = short
    const mask = bytes.readUInt32BE(at + headBytes - 4)
    const payload = bytes.subarray(at + headBytes, at + headBytes + length)
    if (mask !== 0)
      for (let i = 0; i < length; i += 1) payload[i] = (payload[i] ?? 0) ^ ((mask >>> (24 - 8 * (i & 3))) & 0xff)
    socket.write(head)
    socket.write(payload)
    at += headBytes + length
  }
  socket.uncork()
  return at === 0 ? bytes : bytes.subarray(at)
}

server.on("upgrade", (request, stream) => {
  const socket = /** @type {import("node:net").Socket} */ (stream)
  const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
  const accept = createHash("sha1").update(key).digest("base64")
  socket.setNoDelay(true)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let rest = Buffer.alloc(0)
  socket.on("data", (bytes) => {
    rest = echoFrames(socket, rest.length === 0 ? bytes : Buffer.concat([rest, bytes]))
  })
  socket.on("error", () => {})
  socket.on("end", () => socket.end())
})

server.keepAliveTimeout = 600_000
server.requestTimeout = 0
server.listen(0, "127.0.0.1", 4096, () => {
  const address = server.address()
  if (address !== null && typeof address === "object") process.stdout.write(`listening ${address.port}\n`)
})
process.stdin.on("end", () => process.exit(0)).resume()
