import type { Writable } from "node:stream"
import type { RequestBroken } from "../domain/ProxyError.js"
import type { ChunkSource } from "../wire/ChunkSource.js"
import { fieldLines, MessageWriter } from "../wire/MessageWriter.js"
import type { RequestBody, RequestHead } from "./Downstream.js"

/** Whoever follows a request on its way out. */
export interface RequestProgress {
  /** The last byte of the request has been written. */
  readonly requestSent: () => void
  /** The rest waits for the server to take more (`true`), or does not (`false`). */
  readonly serverIsBusy: (busy: boolean) => void
  /** The client's body broke off. */
  readonly requestBroken: (error: RequestBroken) => void
}

/** The same, of one who can still hear the server when it has hung up. */
export interface WriteProgress extends RequestProgress {
  /** Content could not be written. What the server said before has to be read now, or never. */
  readonly writeFailed: () => void
}

const headText = ({ method, target, fields }: RequestHead, chunked: boolean): string =>
  `${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}${chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"}`

/** Writes a request's head and body on a connection (RFC 9112 section 3): as one write where it is whole. */
export class RequestWriter {
  private source: ChunkSource<RequestBroken> | undefined

  constructor(
    private readonly sink: Writable,
    private readonly head: RequestHead,
    private readonly body: RequestBody,
    private readonly progress: WriteProgress,
  ) {}

  start(): void {
    const { body, head, sink } = this
    const chunked = body._tag !== "Empty" && body.chunked
    const writer = new MessageWriter(sink, headText(head, chunked), chunked, this.written)
    if (body._tag === "Moving") return this.writeMoving(body.source, writer)
    if (body._tag === "Bytes") writer.whole(body.bytes, body.trailers)
    else writer.flush()
    this.progress.requestSent()
  }

  /** The server has taken what was written. */
  drained(): void {
    if (this.source === undefined) return
    this.progress.serverIsBusy(false)
    this.source.demand()
  }

  /** Writes no more. What the client still sends is no longer wanted. */
  stop(): void {
    const source = this.source
    this.source = undefined
    source?.cancel()
  }

  private readonly written = (error: Error | null | undefined): void => {
    if (error instanceof Error) this.progress.writeFailed()
  }

  private writeMoving(source: ChunkSource<RequestBroken>, writer: MessageWriter): void {
    this.source = source
    source.consume({
      chunk: (chunk) => {
        const reception = writer.chunk(chunk)
        if (reception === "full") this.progress.serverIsBusy(true)
        return reception
      },
      end: (trailers) => {
        this.source = undefined
        writer.end(trailers)
        this.progress.requestSent()
      },
      fail: (error) => {
        this.source = undefined
        this.progress.requestBroken(error)
      },
    })
    writer.flush()
  }
}
