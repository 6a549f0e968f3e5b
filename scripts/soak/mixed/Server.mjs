// The server of many sessions, on the port that the first argument says (0: any): tells its parent which port that is.
// It says who it is in each answer. `idle` (IPC): closes the connections that nobody uses.
import { createServer } from "node:http"
import { setTimeout as pause } from "node:timers/promises"
import { WebSocketServer } from "ws"
import { Comparison, drained, piece } from "./Content.mjs"

const [, , port = "0", keepAlive = "5000"] = process.argv

/** Writes a piece in so many chunks, as the other side takes them. */
async function writePiece(response, offset, length, every) {
  const content = piece(offset, length)
  const step = every === 0 ? 65_536 : Math.max(1, Math.ceil(length / 20))
  for (let at = 0; at < length && !response.destroyed; at += step) {
    const isTaken = response.write(content.subarray(at, at + step))
    if (!isTaken) await drained(response)
    if (every > 0) await pause(every)
  }
  response.end()
}

/** The fields that frame a body, by the ways that servers have. */
const framings = {
  length: (length) => ({ "Content-Length": length }),
  upper: (length) => ({ "CONTENT-LENGTH": length }),
  chunked: () => ({ "Transfer-Encoding": "chunked" }),
  // Neither a length nor chunks: the body ends with the connection.
  close: () => ({ Connection: "close" }),
}

function download(response, [framing, offset, length, every]) {
  if (framing === "close") response.useChunkedEncodingByDefault = false
  response.writeHead(200, framings[framing](Number(length)))
  return writePiece(response, Number(offset), Number(length), Number(every))
}

/** Reads an upload, compares it, and answers with another piece. */
async function exchange(request, response, [offset, length, downOffset, downLength]) {
  const arrived = new Comparison(Number(offset), Number(length))
  for await (const data of request) arrived.take(data)
  response.writeHead(200, { "X-Upload": arrived.problem ?? "intact", "Content-Length": Number(downLength) })
  await writePiece(response, Number(downOffset), Number(downLength), 0)
}

/** Server-sent events with their numbers. */
async function events(response, [count, every]) {
  response.writeHead(200, { "Content-Type": "text/event-stream" })
  for (let number = 0; number < Number(count) && !response.destroyed; number++) {
    response.write(`id: ${number}\ndata: ${"x".repeat(number % 50)}\n\n`)
    await pause(Number(every))
  }
  response.end("event: end\ndata:\n\n")
}

/** How long what a 304 and a HEAD speak of would be. */
const spokenOf = { "Content-Length": 12_345 }

const ways = {
  echo: (_request, response, [nonce]) => response.end(JSON.stringify({ nonce })),
  download: (_request, response, words) => download(response, words),
  exchange,
  events: (_request, response, words) => events(response, words),
  none: (_request, response) => response.writeHead(204).end(),
  same: (_request, response) => response.writeHead(304, { ETag: '"soak"' }).end(),
  spoken: (_request, response) => response.writeHead(200, spokenOf).end(),
}

async function answer(request, response) {
  const [way, ...words] = request.url.slice(1).split("/")
  response.setHeader("X-Server", server.address().port)
  response.setHeader("X-Session", request.headers["x-forwarded-prefix"] ?? "")
  await ways[way]?.(request, response, words)
}

const server = createServer({ keepAliveTimeout: Number(keepAlive), requestTimeout: 0 }, (request, response) => {
  response.on("error", () => {})
  answer(request, response).catch(() => response.destroy())
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 64 * 1_048_576 })
sockets.on("headers", (fields) => fields.push(`X-Server: ${server.address().port}`))
sockets.on("connection", (socket) => {
  socket.on("error", () => {})
  socket.on("message", (data, isBinary) => {
    const code = isBinary ? undefined : /^close (\d+)$/.exec(data.toString())?.[1]
    if (code === undefined) socket.send(data, { binary: isBinary })
    else socket.close(Number(code), "as you said")
  })
})
server.listen(Number(port), "127.0.0.1", 4_096, () => process.send?.(server.address().port))
process.on("message", (said) => {
  if (said === "idle") server.closeIdleConnections()
})
process.on("disconnect", () => process.exit())
