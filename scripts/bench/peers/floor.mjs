import { createServer } from "node:http"
import { Pool } from "undici"
import { listen } from "./Peer.mjs"

const hopByHop = new Set(["connection", "keep-alive", "host", "transfer-encoding", "te", "upgrade"])

/** @param {string[]} raw names and values in turn */
const endToEnd = (raw) => raw.filter((_, at) => !hopByHop.has((raw[at & ~1] ?? "").toLowerCase()))

/** Only writes what undici reads, with backpressure. */
class Relay {
  /** @param {import("node:http").ServerResponse} response */
  constructor(response) {
    this.response = response
  }

  /** @param {() => void} abort */
  onConnect(abort) {
    this.response.once("close", () => {
      if (!this.response.writableFinished) abort()
    })
  }

  /**
   * @param {number} status
   * @param {Buffer[]} raw
   * @param {() => void} resume
   * @param {string} reason
   */
  onHeaders(status, raw, resume, reason) {
    this.response.on("drain", resume)
    this.response.writeHead(status, reason, endToEnd(raw.map((text) => text.toString("latin1"))))
    return true
  }

  /** @param {Buffer} chunk */
  onData(chunk) {
    return this.response.write(chunk)
  }

  onComplete() {
    this.response.end()
  }

  onError() {
    if (this.response.headersSent) this.response.destroy()
    else this.response.writeHead(502).end()
  }
}

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "node's http.Server and a bare undici Pool.dispatch: the least that forwards with these two",
  webSockets: false,
  serve: (origin) => {
    const pool = new Pool(origin, { headersTimeout: 0, bodyTimeout: 0 })
    return listen(
      createServer((request, response) => {
        const hasBody =
          request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined
        pool.dispatch(
          {
            method: /** @type {import("undici").Dispatcher.HttpMethod} */ (request.method ?? "GET"),
            path: request.url ?? "/",
            headers: endToEnd(request.rawHeaders),
            body: hasBody ? request : null,
          },
          new Relay(response),
        )
      }),
    )
  },
}
