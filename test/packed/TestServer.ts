import { Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { text } from "node:stream/consumers"
import { WebSocketServer } from "ws"
import { Changes, type NotSeen } from "../support/Changes.js"
import { listening } from "../support/Listening.js"

const jsonOr = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const answerJson = (response: ServerResponse, value: unknown): void => {
  response.setHeader("Content-Type", "application/json")
  response.end(JSON.stringify(value))
}

/** The pieces of an answer of a language model, as its clients know them. */
export const words = ["Streams", " arrive", " word", " by", " word", "."]

const eventOf = (word: string): string =>
  `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: word } }] })}\n\n`

/** A server of sessions that says what was asked of it, at the usual addresses of such servers, and repeats what WebSockets say. */
export class TestServer {
  private released = 0
  private readonly changes = new Changes()

  private constructor(private port: number) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Lets the next piece of a stream go: each waits until the client has the one before it. */
  release(): void {
    this.released++
    this.changes.announce()
  }

  /** Lets all that follows go. */
  releaseAll(): void {
    this.released = Number.POSITIVE_INFINITY
    this.changes.announce()
  }

  private async stream(response: ServerResponse, pieces: ReadonlyArray<string>): Promise<void> {
    this.released = 0
    for (const [at, piece] of pieces.entries()) {
      await Effect.runPromise(this.changes.when(() => this.released >= at))
      response.write(piece)
    }
    response.end()
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, method, url = "" } = request
    const { pathname, searchParams } = new URL(url, "http://test")
    const [, first = "", second = ""] = pathname.split("/")
    const body = await text(request)
    if (first === "status") {
      response.statusCode = Number(second)
      return void response.end()
    }
    if (first === "stream-bytes") return void response.end(Buffer.alloc(Number(second), "s"))
    if (first === "stream") {
      const lines = Array.from({ length: Number(second) }, (_, id) => `${JSON.stringify({ id, url })}\n`)
      return this.stream(response, lines)
    }
    if (pathname === "/v1/chat/completions") {
      response.setHeader("Content-Type", "text/event-stream")
      return this.stream(response, [...words.map(eventOf), "data: [DONE]\n\n"])
    }
    answerJson(response, {
      method,
      url,
      args: Object.fromEntries(searchParams),
      headers,
      data: body,
      json: jsonOr(body),
    })
  }

  static start(): Effect.Effect<TestServer, never, Scope.Scope> {
    return Effect.gen(function* () {
      const server = createServer()
      const origin = new TestServer(yield* listening(server))
      server.on("request", (request, response) => void origin.answer(request, response))
      const sockets = new WebSocketServer({ server })
      sockets.on("connection", (socket) =>
        socket.on("message", (data: Buffer, isBinary) => socket.send(data, { binary: isBinary })),
      )
      return origin
    })
  }
}

/** Waits for a piece of a body; the text that has come so far. */
export class StreamReader {
  private text = ""
  private ended = false
  private readonly changes = new Changes()

  constructor(response: IncomingMessage) {
    response.setEncoding("utf8")
    response.on("data", (piece: string) => {
      this.text += piece
      this.changes.announce()
    })
    response.once("end", () => {
      this.ended = true
      this.changes.announce()
    })
  }

  get isOver(): boolean {
    return this.ended
  }

  /** Waits until so many blocks, each of which ends with `end`, are there. */
  blocks(count: number, end: string): Effect.Effect<ReadonlyArray<string>, NotSeen> {
    const found = () => this.text.split(end).slice(0, -1)
    return Effect.map(
      this.changes.until(
        `${count} pieces`,
        () => found().length >= count,
        () => this.text,
      ),
      found,
    )
  }

  get over(): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      "the end",
      () => this.ended,
      () => this.text,
    )
  }
}
