import type { Socket } from "node:net"
import { Effect, Stream } from "effect"
import { ResponseBroken } from "../domain/ProxyError.js"
import type { ResponseHead } from "../downstream/Downstream.js"
import type { ChunkSource, Reception } from "../wire/ChunkSource.js"
import { firstValue, interimFields, type RawFields, responseLines } from "../wire/HeaderFields.js"
import { httpDate } from "../wire/HttpDate.js"
import { fieldLines, MessageWriter } from "../wire/MessageWriter.js"
import { type Reply, replyHead } from "../wire/Reply.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import { trailerFields } from "../wire/Trailers.js"

/** Who follows an answer on its way to the client. */
export interface AnswerProgress {
  /** So many more bytes of body were written. */
  readonly answerWritten: (bytes: number) => void
  /** The body broke off; what was written must not look complete. */
  readonly answerBroken: (error: ResponseBroken) => void
  /** Everything was written, and has left. */
  readonly answerSent: () => void
}

/** The client's end of a connection, as far as an answer is concerned. */
export interface AnswerOutlet {
  readonly socket: Socket
  /** Lines that say for how long the connection stays open behind an answer, with their line ends. */
  readonly persistence: string
  /** Something that was written waits for the client to take what came before. */
  readonly backedUp: () => void
}

/** Where a body passes through on its way to the client. */
export type BodyStage = (body: Stream.Stream<Uint8Array, ResponseBroken>) => Stream.Stream<Uint8Array, ResponseBroken>

/** How the end of an answer is known: it has no content, so many bytes of it, a last chunk, or the end of the connection. */
type AnswerFraming = "none" | number | "chunked" | "close"

const closing = "Connection: close\r\n"
const chunkedLine = "Transfer-Encoding: chunked\r\n"
const nothing = Buffer.alloc(0)

/** Writes the answer to one request on its connection (RFC 9112 sections 4, 6 and 7). */
export class AnswerWriter {
  /** Of the final answer; 0 while its head is not written. */
  status = 0
  private isPersistent: boolean
  private framing: AnswerFraming = "none"
  private written = 0
  private message: MessageWriter | undefined
  private source: ChunkSource<ResponseBroken> | undefined
  private whenDrained: (() => void) | undefined

  constructor(
    private readonly outlet: AnswerOutlet,
    private readonly request: ParsedRequest,
    private readonly progress: AnswerProgress,
  ) {
    this.isPersistent = request.framing.persistent
  }

  get headIsSent(): boolean {
    return this.status !== 0
  }

  /** Whether the connection can carry another answer behind this one. */
  get staysOpen(): boolean {
    return this.isPersistent
  }

  /** Nothing more is answered on this connection; to be said before the head is written. */
  announceClose(): void {
    this.isPersistent = false
  }

  /** Writes an answer of the proxy's own. */
  reply(reply: Reply): void {
    const offersUpgrade = firstValue(reply.fields, "upgrade") !== undefined
    this.status = reply.status
    const head = replyHead(reply, this.connectionLines(offersUpgrade))
    const hasBody = this.request.method !== "HEAD"
    this.outlet.socket.write(hasBody ? head + reply.body : head, "utf8")
    if (hasBody) this.progress.answerWritten(Buffer.byteLength(reply.body))
    this.sent()
  }

  /** Passes an interim response on; HTTP/1.0 knows none. */
  informational({ status, reason, fields }: ResponseHead): void {
    if (this.request.httpVersion === "1.0" || this.headIsSent) return
    this.outlet.socket.write(`HTTP/1.1 ${status} ${reason}\r\n${fieldLines(interimFields(fields))}\r\n`, "latin1")
    this.noteBacklog()
  }

  /** Tells the client to send the content of its request. */
  continue(): void {
    if (!this.headIsSent) this.outlet.socket.write("HTTP/1.1 100 Continue\r\n\r\n")
  }

  /** Writes an answer whose body is whole. False: it is not as long as its head says, and nothing was written. */
  whole(head: ResponseHead, bytes: Uint8Array | undefined, trailers: RawFields): boolean {
    const size = bytes?.byteLength ?? 0
    const message = this.begin(head, size)
    if (typeof this.framing === "number" && this.framing !== size) return false
    message.whole(this.framing === "none" ? undefined : bytes, trailerFields(trailers, head.fields))
    this.status = head.status
    this.progress.answerWritten(size)
    this.sent()
    return true
  }

  /** Writes an answer whose body is in motion, as it comes, with the client's backpressure. */
  moving(head: ResponseHead, source: ChunkSource<ResponseBroken>): void {
    const message = this.begin(head)
    this.status = head.status
    this.source = source
    source.consume({
      chunk: (chunk) => this.pass(message, chunk),
      end: (trailers) => this.end(trailers, head.fields),
      fail: (error) => this.progress.answerBroken(error),
    })
    // What has arrived with the head is on its way here, and leaves with it.
    queueMicrotask(message.flush)
  }

  /** The same for a body that passes through a stage. */
  staged(
    head: ResponseHead,
    source: ChunkSource<ResponseBroken>,
    stage: BodyStage,
  ): Effect.Effect<void, ResponseBroken> {
    const message = this.begin(head)
    this.status = head.status
    message.flush()
    const written = Stream.runForEach(stage(source.stream), (chunk) => this.passStaged(message, chunk))
    return Effect.andThen(
      written,
      Effect.sync(() => this.end(source.trailers, head.fields)),
    )
  }

  /** The client takes more. */
  drained(): void {
    const { whenDrained } = this
    this.whenDrained = undefined
    whenDrained?.()
    this.source?.demand()
  }

  /** Lines that say what becomes of the connection. Whoever sends `Upgrade` says so there (RFC 9110 section 7.8). */
  private connectionLines(offersUpgrade: boolean): string {
    if (offersUpgrade) return this.isPersistent ? "Connection: Upgrade\r\n" : "Connection: close, Upgrade\r\n"
    return this.isPersistent ? this.outlet.persistence : closing
  }

  /** Makes the head of an answer. `size`: of a body that is whole. */
  private begin({ status, reason, fields }: ResponseHead, size?: number): MessageWriter {
    const lines = responseLines(fields, status)
    this.framing = this.framingOf(status, lines.length, size)
    if (this.framing === "close") this.isPersistent = false
    const isChunked = this.framing === "chunked"
    const isLengthMissing = typeof this.framing === "number" && lines.length === undefined
    const kept = lines.announcesTrailers && !isChunked ? responseLines(fields, status, false).text : lines.text
    const added = isChunked ? chunkedLine : isLengthMissing ? `Content-Length: ${size}\r\n` : ""
    // A response that its server has not dated is dated by who passes it on (RFC 9110 section 6.6.1).
    const date = lines.isDated ? "" : `Date: ${httpDate()}\r\n`
    const persistence = this.connectionLines(lines.offersUpgrade)
    const head = `HTTP/1.1 ${status} ${reason}\r\n${kept}${added}${date}${persistence}\r\n`
    this.message = new MessageWriter(this.outlet.socket, head, isChunked)
    return this.message
  }

  /** Chooses how the end of the answer is known (RFC 9112 section 6.3). */
  private framingOf(status: number, length: string | undefined, size: number | undefined): AnswerFraming {
    if (this.request.method === "HEAD" || status === 204 || status === 304) return "none"
    if (length !== undefined) return Number(length)
    return this.request.httpVersion === "1.1" ? "chunked" : (size ?? "close")
  }

  private pass(message: MessageWriter, chunk: Uint8Array): Reception {
    if (this.framing === "none") return "used"
    this.written += chunk.byteLength
    this.progress.answerWritten(chunk.byteLength)
    if (typeof this.framing === "number" && this.written > this.framing) {
      this.progress.answerBroken(new ResponseBroken({ address: "", problem: "its body is longer than it says" }))
      return "used"
    }
    const reception = message.chunk(chunk)
    this.noteBacklog()
    return reception
  }

  private passStaged(message: MessageWriter, chunk: Uint8Array): Effect.Effect<void> {
    return Effect.async((resume) => {
      if (this.pass(message, chunk) !== "full") return resume(Effect.void)
      this.whenDrained = () => resume(Effect.void)
    })
  }

  private end(trailers: RawFields, fields: RawFields): void {
    this.source = undefined
    if (typeof this.framing === "number" && this.written < this.framing) {
      this.progress.answerBroken(new ResponseBroken({ address: "", problem: "its body is shorter than it says" }))
      return
    }
    this.message?.end(trailerFields(trailers, fields))
    this.sent()
  }

  /** Waits for what the kernel has not taken yet. */
  private sent(): void {
    const { socket } = this.outlet
    if (socket.writableLength === 0) return this.progress.answerSent()
    this.noteBacklog()
    // Where that fails the client is gone, which its connection tells.
    socket.write(nothing, (error) => {
      if (!(error instanceof Error)) this.progress.answerSent()
    })
  }

  private noteBacklog(): void {
    if (this.outlet.socket.writableLength > 0) this.outlet.backedUp()
  }
}
