// WebSockets of a client: what the server echoes has to be what was sent, in its order.
import { WebSocket } from "ws"
import { piece, somePiece } from "./Content.mjs"

const patience = 90_000

/** One WebSocket from its handshake to its end. */
export function webSocket({ port, random }, session) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${session}/socket`, { perMessageDeflate: false })
    const script = new Script(socket, random)
    let failure
    let server
    const waiting = setTimeout(() => {
      failure = "hung"
      socket.terminate()
    }, patience)
    socket.on("upgrade", ({ headers }) => (server = Number(headers["x-server"])))
    socket.on("unexpected-response", (_request, response) => {
      let text = ""
      response.on("data", (data) => (text += data))
      response.on("close", () => {
        failure = `ws status ${response.statusCode} ${/"code":"(\w+)"/.exec(text)?.[1] ?? "unsaid"}`
        socket.terminate()
      })
    })
    socket.on("error", ({ code, message }) => (failure ??= `ws ${code ?? message}`))
    socket.on("open", () => script.goOn())
    socket.on("message", (data, isBinary) => script.take(data, isBinary))
    socket.on("close", (code) => {
      clearTimeout(waiting)
      clearTimeout(script.timer)
      if (script.problem !== undefined) return resolve({ error: script.problem })
      if (script.hasLeft) return resolve({ left: true })
      if (failure === undefined && code === script.agreed) return resolve({ server })
      resolve({ error: failure === undefined || failure.startsWith("ws WS_ERR") ? `ws close ${code}` : failure })
    })
  })
}

/** What one client does: so many rounds of messages, and then one of the ways to end. */
class Script {
  /** Wrong bytes. */
  problem
  /** Whether the client went away without a word. */
  hasLeft = false
  /** The close code that both sides are to see. */
  agreed
  timer
  sent = []

  constructor(socket, random) {
    this.socket = socket
    this.random = random
    this.rounds = random.between(1, 30)
    this.number = 0
  }

  goOn() {
    if (this.rounds-- === 0) return this.end()
    const count = this.random.between(1, 3)
    for (let index = 0; index < count; index++) this.say()
  }

  /** A message begins with its number; the rest is a piece of the content. */
  say() {
    const { length, offset } = somePiece(this.random, this.random.chance(0.1) ? 524_288 : 4_096)
    const isBinary = this.random.chance(0.5)
    const number = Buffer.alloc(4)
    number.writeUInt32BE(this.number++)
    const bytes = Buffer.concat([number, piece(offset, length)])
    const message = isBinary ? bytes : Buffer.from(bytes.toString("base64"))
    this.sent.push({ message, isBinary })
    this.socket.send(message, { binary: isBinary })
  }

  take(data, isBinary) {
    const expected = this.sent.shift()
    if (expected === undefined || expected.isBinary !== isBinary || !expected.message.equals(data)) {
      this.problem = `altered: message ${this.number - this.sent.length - 1}`
      return this.socket.terminate()
    }
    if (this.sent.length === 0) this.timer = setTimeout(() => this.goOn(), this.random.below(300))
  }

  end() {
    const way = this.random.pick(["client", "server", "leave", "leave unread"])
    if (way === "client") {
      this.agreed = 1_000
      this.socket.close(1_000)
    } else if (way === "server") {
      this.agreed = 4_000 + this.random.below(999)
      this.socket.send(`close ${this.agreed}`)
    } else {
      this.hasLeft = true
      if (way === "leave unread") this.say()
      this.socket.terminate()
    }
  }
}
