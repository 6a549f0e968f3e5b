// The workloads that are counted. Each consists of equal steps of one or two hops.
import { join } from "node:path"
import { answers, postBody } from "../origin/Answers.mjs"
import { tracedVariables } from "../peers/ss-proxy.mjs"
import { openThrough } from "./Ends.mjs"

/**
 * Bytes that go from one end to the other through the proxy.
 *
 * @typedef {object} Hop
 * @property {import("./Ends.mjs").End} from
 * @property {string | Buffer} bytes
 * @property {() => Promise<void>} arrival resolves when they have arrived at the other end
 */

/**
 * @typedef {object} SteadyWork
 * @property {string} name
 * @property {string} title of a step
 * @property {number} [rest] pause before each hop, in milliseconds: for work that allocates other amounts if the next bytes
 *   come before the proxy has finished with the last
 * @property {(port: number, origin: import("./Ends.mjs").ScriptedOrigin) => Promise<Hop[]>} open begins the work, and
 *   returns the hops of a step
 * @property {(folder: string) => string[]} [flags] of the proxy, beside the usual; the folder is for files
 * @property {string[]} [variables] of its environment, as `env` takes them
 */

/** A Content-Length that no workload uses up, and a piece of content that the kernel's send buffer takes at once. */
const endless = 2 ** 40
const pieceBytes = 32 * 1024

const answer =
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answers.small.length}\r\n\r\n` + answers.small

/**
 * Requests one after another, each after the answer to the one before.
 *
 * @param {string} name
 * @param {string} title
 * @param {string} request
 * @param {Pick<SteadyWork, "flags" | "variables">} [more]
 * @returns {SteadyWork}
 */
const asking = (name, title, request, more = {}) => ({
  name,
  title,
  ...more,
  open: async (port, origin) => {
    const { client, server } = await openThrough(port, origin, request)
    await server.message()
    server.socket.write(answer)
    await client.message()
    return [
      { from: client, bytes: request, arrival: () => server.message() },
      { from: server, bytes: answer, arrival: () => client.message() },
    ]
  },
})

/**
 * A response that never ends, chunk by chunk.
 *
 * @param {string} name
 * @param {string} title
 * @param {string} fields of the response
 * @param {string | Buffer} piece
 * @returns {SteadyWork}
 */
const streaming = (name, title, fields, piece) => ({
  name,
  title,
  open: async (port, origin) => {
    const { client, server } = await openThrough(port, origin, "GET /bench/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await server.head()
    server.socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`)
    await client.head()
    return [{ from: server, bytes: piece, arrival: () => client.bytes(piece.length) }]
  },
})

const piece = Buffer.alloc(pieceBytes, "p")

/** @type {SteadyWork} */
const upload = {
  name: "upload",
  title: "32 KiB up",
  rest: 1,
  open: async (port, origin) => {
    const head = `POST /bench/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${endless}\r\n\r\n`
    const { client, server } = await openThrough(port, origin, head)
    await server.head()
    return [{ from: client, bytes: piece, arrival: () => server.bytes(piece.length) }]
  },
}

/** The answer to the handshake that `echo` makes: RFC 6455, section 1.3. */
const switching =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

/** @type {SteadyWork} */
const echo = {
  name: "echo",
  title: "echo of 64 bytes",
  open: async (port, origin) => {
    const handshake =
      "GET /ws/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    const { client, server } = await openThrough(port, origin, handshake)
    await server.head()
    server.socket.write(switching)
    await client.head()
    const payload = Buffer.alloc(64, "e")
    const masked = Buffer.concat([Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0]), payload])
    const plain = Buffer.concat([Buffer.from([0x82, payload.length]), payload])
    return [
      { from: client, bytes: masked, arrival: () => server.bytes(masked.length) },
      { from: server, bytes: plain, arrival: () => client.bytes(plain.length) },
    ]
  },
}

const event = "data: ".padEnd(57, "x") + "\n\n"

const get = "GET /bench/small HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

/** @type {SteadyWork[]} */
export const steadyWorks = [
  asking("get", "GET of 118 bytes", get),
  asking("get-logged", "GET with the JSON access log", get, {
    flags: (folder) => ["--access-log", join(folder, "access.log")],
  }),
  // The least of many windows counts, and so above all what requests cost that are not recorded.
  asking("get-traced", "GET with traces at 1 %", get, { variables: tracedVariables }),
  asking(
    "post",
    "POST of 1 KiB",
    "POST /bench/small HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
      `Content-Length: ${postBody.length}\r\n\r\n${postBody}`,
  ),
  streaming("download", "32 KiB down", `Content-Length: ${endless}`, piece),
  upload,
  streaming(
    "events",
    "server-sent event",
    "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked",
    `${event.length.toString(16)}\r\n${event}\r\n`,
  ),
  echo,
]
