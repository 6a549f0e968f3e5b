import type { Socket } from "node:net"
import { Defect, type ResponseBroken } from "../domain/ProxyError.js"
import type { ResponseHead } from "../downstream/Downstream.js"
import type { Fork } from "../step/Call.js"
import { type Bytes, flowOf, type Moving } from "../wire/Body.js"
import type { Flow, Consumption } from "../wire/ChunkSource.js"
import { type FieldEdits, keptFields } from "../wire/FieldEdits.js"
import { firstValue, interimFields, type RawFields, responseLines } from "../wire/HeaderFields.js"
import { httpDate } from "../wire/HttpDate.js"
import { fieldLines, MessageWriter } from "../wire/MessageWriter.js"
import { type Reply, replyHead } from "../wire/Reply.js"
import type { ParsedRequest } from "../wire/RequestParser.js"
import type { Stage } from "../wire/Stage.js"
import { trailerFields } from "../wire/Trailers.js"
import { OwnStage } from "./OwnStage.js"

/** Who follows an answer on its way to the client. */
export interface AnswerProgress {
  /** So many more bytes of body were written. */
  readonly answerWritten: (bytes: number) => void
  /** The body broke off; what was written must not look complete. */
  readonly answerBroken: (error: ResponseBroken) => void
  /** The same, for its length is not what its head says. `problem`: which it is. */
  readonly answerMisframed: (problem: string) => void
  /** A stage of the body threw, or has changed its length without saying so. */
  readonly answerDefect: (cause: unknown) => void
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

/** How the end of an answer is known: it has no content, so many bytes of it, a last chunk, or the end of the connection. */
type AnswerFraming = "none" | number | "chunked" | "close"

const closing = "Connection: close\r\n"
const chunkedLine = "Transfer-Encoding: chunked\r\n"
const nothing = Buffer.alloc(0)
const changedLength = "a stage has changed the length of an answer's content, and does not say so (resizes)"

/** Writes the answer to one request on its connection (RFC 9112 sections 4, 6 and 7). */
export class AnswerWriter {
  /** Of the final answer; 0 while its head is not written. */
  status = 0
  private isPersistent: boolean
  private framing: AnswerFraming = "none"
  private written = 0
  private message: MessageWriter | undefined
  private flow: Flow<ResponseBroken> | undefined
  /** What a body in motion passes through. */
  private stages: ReadonlyArray<Stage<ResponseBroken>> | undefined

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
    const connection = offersUpgrade ? this.offerLine : this.connectionLines
    this.status = reply.status
    const head = replyHead(reply, connection)
    const hasBody = this.request.method !== "HEAD"
    this.outlet.socket.write(hasBody ? head + reply.body : head, "utf8")
    if (hasBody) this.progress.answerWritten(Buffer.byteLength(reply.body))
    this.sent()
  }

  /** Passes an interim response on; HTTP/1.0 knows none. `edits`: what it loses. */
  informational({ status, reason, fields }: ResponseHead, edits?: FieldEdits): void {
    if (this.request.httpVersion === "1.0" || this.headIsSent) return
    const kept = interimFields(edits === undefined ? fields : keptFields(fields, edits))
    this.outlet.socket.write(`HTTP/1.1 ${status} ${reason}\r\n${fieldLines(kept)}\r\n`, "latin1")
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

  /** Writes an answer whose body is moving, as it comes, with the client's backpressure. `edits`: what its trailers lose. */
  moving(
    head: ResponseHead,
    body: Bytes<ResponseBroken> | Moving<ResponseBroken>,
    fork: Fork,
    edits?: FieldEdits,
  ): void {
    const message = this.begin(head)
    this.status = head.status
    const flow = flowOf(body, fork)
    this.flow = flow
    this.stages = body.stages
    flow.consume({
      chunk: (chunk) => this.pass(message, chunk),
      end: (trailers) => this.end(edits === undefined ? trailers : keptFields(trailers, edits), head.fields),
      fail: (error) => this.progress.answerBroken(error),
      defect: (cause) => this.defect(cause),
    })
    // What has arrived with the head is on its way here, and leaves with it.
    queueMicrotask(message.flush)
  }

  /** The client takes more. */
  drained(): void {
    this.flow?.demand()
  }

  /** Writes no more of a body that is moving, and wants no more of it. */
  cancel(): void {
    this.flow?.cancel()
  }

  private get connectionLines(): string {
    return this.isPersistent ? this.outlet.persistence : closing
  }

  /** The same where the answer has an `Upgrade`: whoever sends that says so here, too (RFC 9110 section 7.8). */
  private get offerLine(): string {
    return this.isPersistent ? "Connection: Upgrade\r\n" : "Connection: close, Upgrade\r\n"
  }

  /** The lines of a server's 426 about its connection: it has to say what to upgrade to (RFC 9110 section 15.5.22). */
  private upgradeLines(fields: RawFields): string {
    const protocols = fields
      .filter((_, index) => fields[index - 1]?.toLowerCase() === "upgrade" && index % 2 === 1)
      .join(", ")
    return protocols === "" ? this.connectionLines : `Upgrade: ${protocols}\r\n${this.offerLine}`
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
    const connection = status === 426 ? this.upgradeLines(fields) : this.connectionLines
    const head = `HTTP/1.1 ${status} ${reason}\r\n${kept}${added}${date}${connection}\r\n`
    this.message = new MessageWriter(this.outlet.socket, head, isChunked)
    return this.message
  }

  /** Chooses how the end of the answer is known (RFC 9112 section 6.3). */
  private framingOf(status: number, length: string | undefined, size: number | undefined): AnswerFraming {
    if (this.request.method === "HEAD" || status === 204 || status === 304) return "none"
    if (length !== undefined) return Number(length)
    return this.request.httpVersion === "1.1" ? "chunked" : (size ?? "close")
  }

  private pass(message: MessageWriter, chunk: Uint8Array): Consumption {
    if (this.framing === "none") return "consumed"
    this.written += chunk.byteLength
    this.progress.answerWritten(chunk.byteLength)
    if (typeof this.framing === "number" && this.written > this.framing) {
      this.misframed("its body is longer than it says")
      return "consumed"
    }
    const consumption = message.chunk(chunk)
    this.noteBacklog()
    return consumption
  }

  private end(trailers: RawFields, fields: RawFields): void {
    this.flow = undefined
    if (typeof this.framing === "number" && this.written < this.framing)
      return this.misframed("its body is shorter than it says")
    this.message?.end(trailerFields(trailers, fields))
    this.sent()
  }

  private defect(cause: unknown): void {
    this.progress.answerDefect(Defect.at("download stage", cause))
  }

  /** A server that is heard gives as many bytes as it has said: it is stages that have made more of them, or fewer. */
  private misframed(problem: string): void {
    if (this.stages?.some((stage) => stage instanceof OwnStage) === true) this.defect(new Error(changedLength))
    else this.progress.answerMisframed(problem)
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
