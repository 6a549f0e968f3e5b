// A server that records all bytes it gets, and answers whatever they are, so that no proxy waits for it.
import { createServer } from "node:net"

const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"
const requestLine = /^[!#$%&'*+.^_`|~\w-]+ ([^\0-\x20]+) HTTP\/1\.[01]$/
const fieldLine = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/

/**
 * @typedef {object} Seen
 * @property {string} target
 * @property {string} body
 */

/** The bytes are not HTTP/1.1 to a strict parser. */
class Malformed extends Error {}

/**
 * @param {string} bytes
 * @param {number} from
 * @returns {{ body: string, end: number } | undefined}
 */
const readChunks = (bytes, from) => {
  let body = ""
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd < 0) return undefined
    const line = bytes.slice(at, lineEnd)
    if (!/^[0-9a-f]+(;[^\0\r\n]*)?$/i.test(line)) throw new Malformed(`chunk size ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    const start = lineEnd + 2
    if (size === 0) {
      const end = bytes.startsWith("\r\n", start) ? start + 2 : bytes.indexOf("\r\n\r\n", start) + 4
      return end < start + 2 ? undefined : { body, end }
    }
    if (bytes.length < start + size + 2) return undefined
    if (!bytes.startsWith("\r\n", start + size)) throw new Malformed("end of chunk")
    body += bytes.slice(start, start + size)
    at = start + size + 2
  }
}

/**
 * The request that begins at `from`, by strict framing; `undefined` if it is incomplete.
 *
 * @param {string} bytes
 * @param {number} from
 * @returns {(Seen & { end: number }) | undefined}
 */
const readRequest = (bytes, from) => {
  const headEnd = bytes.indexOf("\r\n\r\n", from)
  if (headEnd < 0) return undefined
  const [first = "", ...lines] = bytes.slice(from, headEnd).split("\r\n")
  const target = requestLine.exec(first)?.[1]
  if (target === undefined) throw new Malformed(`request line ${JSON.stringify(first)}`)
  const pairs = lines.map((line) => {
    const [, name, value] = fieldLine.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Malformed(`field ${JSON.stringify(line)}`)
    return { name: name.toLowerCase(), value }
  })
  const framing = pairs.filter(({ name }) => name === "content-length" || name === "transfer-encoding")
  if (framing.length > 1) throw new Malformed("two framing fields")
  if (pairs.filter(({ name }) => name === "host").length !== 1) throw new Malformed("not one Host")
  const start = headEnd + 4
  const [field] = framing
  if (field === undefined) return { target, body: "", end: start }
  if (field.name === "transfer-encoding") {
    if (!/^(?:(?!chunked)[\w-]+, ?)*chunked$/i.test(field.value)) throw new Malformed("transfer coding")
    const read = readChunks(bytes, start)
    return read === undefined ? undefined : { target, ...read }
  }
  if (!/^\d{1,15}$/.test(field.value)) throw new Malformed("content length")
  const end = start + Number(field.value)
  return bytes.length < end ? undefined : { target, body: bytes.slice(start, end), end }
}

/** Records what a proxy sends, until `take`. */
export class RecordingOrigin {
  #server = createServer((socket) => this.#accept(socket))
  /** @type {Set<import("node:net").Socket>} */
  #sockets = new Set()
  /** @type {Seen[]} */
  #seen = []
  /** @type {string | undefined} */
  #fault
  #bytes = 0

  /** @returns {Promise<number>} the port */
  listen() {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address()
        resolve(address !== null && typeof address === "object" ? address.port : 0)
      })
    })
  }

  /** @param {import("node:net").Socket} socket */
  #accept(socket) {
    this.#sockets.add(socket)
    let bytes = ""
    let at = 0
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket))
    socket.on("data", (data) => {
      bytes += data.toString("latin1")
      this.#bytes += data.length
      try {
        for (let read = readRequest(bytes, at); read !== undefined; read = readRequest(bytes, at)) {
          this.#seen.push(read)
          at = read.end
          socket.write(answer)
        }
      } catch (error) {
        if (!(error instanceof Malformed)) throw error
        this.#fault ??= error.message
        at = bytes.length
        socket.write(answer)
      }
    })
  }

  /** The requests by strict framing, the first framing fault, and the number of bytes; then forgets them. */
  take() {
    const taken = { seen: this.#seen, fault: this.#fault, bytes: this.#bytes }
    for (const socket of this.#sockets) socket.destroy()
    this.#seen = []
    this.#fault = undefined
    this.#bytes = 0
    return taken
  }

  close() {
    this.take()
    this.#server.close()
  }
}
