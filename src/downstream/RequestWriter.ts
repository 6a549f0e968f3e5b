import type { Writable } from "node:stream"
import type { RequestBroken } from "../domain/ProxyError.js"
import type { Fork } from "../step/Call.js"
import { type Bytes, flowOf, type Moving } from "../wire/Body.js"
import type { Flow, Consumption } from "../wire/ChunkSource.js"
import { firstValue } from "../wire/HeaderFields.js"
import { fieldLines, MessageWriter } from "../wire/MessageWriter.js"
import type { RequestBody, RequestHead } from "./Downstream.js"

/** Follows the sending of a request. */
export interface RequestProgress {
  /** The last byte of the request has been written. */
  readonly requestSent: () => void
  /** Backpressure: the rest waits because the server does not read (`true`), or no longer waits (`false`). */
  readonly serverIsBusy: (busy: boolean) => void
  /** The client's body broke off. */
  readonly requestBroken: (error: RequestBroken) => void
  /** A stage of the body threw. */
  readonly requestDefect: (cause: unknown) => void
}

/** Follows the sending, and can read what the server sent before it closed. */
export interface WriteProgress extends RequestProgress {
  /** Content could not be written. What the server has sent must be read now, before Node closes the socket. */
  readonly writeFailed: () => void
}

const headText = ({ method, target, fields }: RequestHead, chunked: boolean): string =>
  `${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}${chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"}`

/**
 * The length of content to check, because stages may change the content: bytes beyond `Content-Length` would be another
 * request to the server. Infinity if nothing has to be checked.
 */
const lengthToKeep = ({ fields }: RequestHead, body: Bytes<RequestBroken> | Moving<RequestBroken>): number => {
  const length = body.stages.length === 0 || body.chunked ? undefined : firstValue(fields, "content-length")
  return length === undefined ? Infinity : Number(length)
}

const resized = "a stage has changed the length of a request's content, and does not say so (resizes)"

/** Writes a request on a connection (RFC 9112 section 3), in one write if the whole content is known. */
export class RequestWriter {
  private flow: Flow<RequestBroken> | undefined

  constructor(
    private readonly sink: Writable,
    private readonly head: RequestHead,
    private readonly body: RequestBody,
    private readonly progress: WriteProgress,
  ) {}

  /** Begins. `fork` runs the stages of the body. */
  start(fork: Fork): void {
    const { body, head, sink } = this
    const chunked = body._tag !== "Empty" && body.chunked
    const writer = new MessageWriter(sink, headText(head, chunked), chunked, this.written)
    if (body._tag === "Empty") writer.flush()
    else if (body._tag === "Moving" || body.stages.length > 0) return this.writeMoving(body, writer, fork)
    else writer.whole(body.bytes, body.trailers)
    this.progress.requestSent()
  }

  /** The socket's buffer has drained. */
  drained(): void {
    if (this.flow === undefined) return
    this.progress.serverIsBusy(false)
    this.flow.demand()
  }

  /** Stops writing, and cancels the rest of the body. */
  stop(): void {
    const { flow } = this
    this.flow = undefined
    flow?.cancel()
  }

  private readonly written = (error: Error | null | undefined): void => {
    if (error instanceof Error) this.progress.writeFailed()
  }

  private writeMoving(body: Bytes<RequestBroken> | Moving<RequestBroken>, writer: MessageWriter, fork: Fork): void {
    const flow = flowOf(body, fork)
    this.flow = flow
    let left = lengthToKeep(this.head, body)
    flow.consume({
      chunk: (chunk) => {
        left -= chunk.byteLength
        if (left < 0) return this.misframed()
        const consumption = writer.chunk(chunk)
        if (consumption === "full") this.progress.serverIsBusy(true)
        return consumption
      },
      end: (trailers) => {
        if (left > 0 && left < Infinity) return void this.misframed()
        this.flow = undefined
        writer.end(trailers)
        this.progress.requestSent()
      },
      fail: (error) => {
        this.flow = undefined
        this.progress.requestBroken(error)
      },
      defect: (cause) => {
        this.flow = undefined
        this.progress.requestDefect(cause)
      },
    })
    writer.flush()
  }

  private misframed(): Consumption {
    this.stop()
    this.progress.requestDefect(new Error(resized))
    return "consumed"
  }
}
