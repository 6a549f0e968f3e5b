import type { ServerResponse } from "node:http"
import { Effect, Stream } from "effect"
import { ResponseBroken } from "../domain/ProxyError.js"
import type { ResponseHead } from "../downstream/Downstream.js"
import type { ChunkSource } from "../wire/ChunkSource.js"
import { firstValue, type RawFields, responseFields, trailerFields } from "../wire/HeaderFields.js"
import type { Reply } from "../wire/Reply.js"

/** Who follows a body on its way to the client. */
export interface AnswerProgress {
  /** So many more bytes of body were written. */
  readonly answerWritten: (bytes: number) => void
  /** The body broke off; what was written must not look complete. */
  readonly answerBroken: (error: ResponseBroken) => void
}

/** Where a body passes through on its way to the client. */
export type BodyStage = (body: Stream.Stream<Uint8Array, ResponseBroken>) => Stream.Stream<Uint8Array, ResponseBroken>

/** Up to so many bytes, a body is written as text in one piece with its head: that saves the kernel a list of buffers. */
const largestText = 16_384

const withoutTrailerField = (fields: RawFields): Array<string> => {
  const out: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    if (name.toLowerCase() !== "trailer") out.push(name, fields[index + 1] ?? "")
  }
  return out
}

const pairs = (flat: RawFields): Array<[string, string]> => {
  const out: Array<[string, string]> = []
  for (let index = 0; index + 1 < flat.length; index += 2) out.push([flat[index] ?? "", flat[index + 1] ?? ""])
  return out
}

/** Writes the answer to one request on node's response (RFC 9112 sections 4, 6 and 7). */
export class AnswerWriter {
  constructor(
    private readonly response: ServerResponse,
    private readonly method: string,
    private readonly httpVersion: string,
    private readonly progress: AnswerProgress,
  ) {
    response.sendDate = false
  }

  get headIsSent(): boolean {
    return this.response.headersSent
  }

  /** Writes an answer of the proxy's own. `close`: nothing more is answered on this connection. */
  reply({ status, reason, fields, body }: Reply, close: boolean): void {
    if (close) this.announceClose()
    // Whoever sends Upgrade says so in Connection (RFC 9110 section 7.8), which node then does not write itself.
    const offer =
      firstValue(fields, "upgrade") === undefined ? [] : ["Connection", close ? "close, Upgrade" : "Upgrade"]
    this.response.writeHead(status, reason, [...fields, ...offer])
    this.response.end(this.method === "HEAD" ? undefined : body)
  }

  /** Passes an interim response on; HTTP/1.0 knows none, and one whose turn has not come yet cannot have any. */
  informational({ status, reason, fields }: ResponseHead): void {
    const socket = this.response.socket
    if (this.httpVersion === "1.0" || socket === null || this.headIsSent) return
    const lines = pairs(responseFields(fields)).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`HTTP/1.1 ${status} ${reason}\r\n${lines.join("")}\r\n`, "latin1")
  }

  /** Nothing more is answered on this connection; to be said before the head is written. */
  announceClose(): void {
    this.response.shouldKeepAlive = false
  }

  /** Tells the client to send the content of its request. */
  continue(): void {
    if (!this.headIsSent) this.response.writeContinue()
  }

  /** Writes the head of a downstream's answer. Throws where node finds a byte in it that cannot be written. */
  head({ status, reason, fields }: ResponseHead): void {
    const kept = responseFields(fields)
    const writable = this.canHaveTrailers(status, kept) ? kept : withoutTrailerField(kept)
    this.response.writeHead(status, reason, writable)
  }

  /** Ends the answer with a body that is whole. */
  whole(bytes: Uint8Array | undefined, trailers: RawFields): void {
    if (bytes !== undefined) this.progress.answerWritten(bytes.byteLength)
    this.addTrailers(trailers)
    if (bytes === undefined || bytes.byteLength > largestText) this.response.end(bytes)
    else this.response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1"), "latin1")
  }

  /** Writes a body in motion as it comes, with the client's backpressure. */
  moving(source: ChunkSource<ResponseBroken>): void {
    const { response, progress } = this
    response.on("drain", () => source.demand())
    source.consume({
      chunk: (chunk) => {
        progress.answerWritten(chunk.byteLength)
        return response.write(chunk)
      },
      end: (trailers) => this.end(trailers),
      fail: (error) => progress.answerBroken(error),
    })
    if (!source.isFinished) response.flushHeaders()
  }

  /** The same for a body that passes through a stage. */
  staged(source: ChunkSource<ResponseBroken>, stage: BodyStage): Effect.Effect<void, ResponseBroken> {
    this.response.flushHeaders()
    const written = Stream.runForEach(stage(source.stream), (chunk) => this.write(chunk))
    return Effect.andThen(
      written,
      Effect.sync(() => this.end(source.trailers)),
    )
  }

  private write(chunk: Uint8Array): Effect.Effect<void> {
    return Effect.async((resume) => {
      this.progress.answerWritten(chunk.byteLength)
      if (this.response.write(chunk)) return resume(Effect.void)
      const drained = () => resume(Effect.void)
      this.response.once("drain", drained)
      return Effect.sync(() => this.response.removeListener("drain", drained))
    })
  }

  private end(trailers: RawFields): void {
    this.addTrailers(trailers)
    this.response.end()
  }

  private addTrailers(trailers: RawFields): void {
    if (trailers.length > 0) this.response.addTrailers(pairs(trailerFields(trailers)))
  }

  /** Only what is written in chunks can have trailers; node throws at a `Trailer` field elsewhere. */
  private canHaveTrailers(status: number, fields: RawFields): boolean {
    const bodiless = this.method === "HEAD" || status === 204 || status === 304
    return !bodiless && this.httpVersion !== "1.0" && firstValue(fields, "content-length") === undefined
  }
}
