// The client and the server of a proxy in one program. It sends the next bytes only after the last have arrived at the
// other end, so that the proxy does the same each time.
import { createServer } from "node:net"
import { dial } from "../load/RawHttp.mjs"

/** A connection to the proxy or from it, and the bytes that have arrived on it. */
export class End {
  #bytes = 0
  #head = ""
  #wake = () => {}

  /** @param {import("node:net").Socket} socket */
  constructor(socket) {
    this.socket = socket
    socket.on("error", () => {})
    socket.on("data", (bytes) => {
      if (!this.#head.includes("\r\n\r\n")) this.#head += bytes.toString("latin1")
      this.#bytes += bytes.length
      this.#wake()
    })
  }

  /** Drops the bytes that have arrived. */
  #forget() {
    this.#bytes = 0
    this.#head = ""
  }

  /** @param {() => boolean} isEnough */
  async #until(isEnough) {
    while (!isEnough())
      await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
        this.#wake = resolve
      })
  }

  /** Waits for the head of a message, and drops all bytes. */
  async head() {
    await this.#until(() => this.#head.includes("\r\n\r\n"))
    this.#forget()
  }

  /** Waits for a message, with a body if it has a Content-Length, and drops it. */
  async message() {
    await this.#until(() => {
      const end = this.#head.indexOf("\r\n\r\n")
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#head)?.[1] ?? 0)
      return end >= 0 && this.#bytes >= end + 4 + length
    })
    this.#forget()
  }

  /**
   * Waits for a number of bytes, and drops them.
   *
   * @param {number} count
   */
  async bytes(count) {
    await this.#until(() => this.#bytes >= count)
    this.#forget()
  }
}

/** The server behind the proxy. It returns its connections one by one. */
export class ScriptedOrigin {
  #accepted = /** @type {End[]} */ ([])
  #waiting = /** @type {Array<(end: End) => void>} */ ([])
  #server = createServer({ noDelay: true }, (socket) => {
    const end = new End(socket)
    const next = this.#waiting.shift()
    if (next === undefined) this.#accepted.push(end)
    else next(end)
  })

  /** @returns {Promise<number>} the port that the kernel chose */
  listen() {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject)
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address()
        resolve(address !== null && typeof address === "object" ? address.port : 0)
      })
    })
  }

  /** @returns {Promise<End>} the next connection from the proxy */
  accept() {
    const end = this.#accepted.shift()
    return end === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(end)
  }

  close() {
    this.#server.close()
  }
}

/**
 * A client's connection, and the connection to the server that the proxy opens for its first message.
 *
 * @param {number} port of the proxy
 * @param {ScriptedOrigin} origin
 * @param {string} message
 * @returns {Promise<{ client: End, server: End }>}
 */
export const openThrough = async (port, origin, message) => {
  const client = new End(await dial(port))
  client.socket.write(message)
  return { client, server: await origin.accept() }
}
