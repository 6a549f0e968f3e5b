import type { RequestBroken } from "../domain/ProxyError.js"
import type { ChunkSource } from "../wire/ChunkSource.js"
import type { Connection } from "./Connection.js"
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

const fieldLines = (fields: ReadonlyArray<string>): string => {
  let lines = ""
  for (let index = 0; index + 1 < fields.length; index += 2) lines += `${fields[index]}: ${fields[index + 1]}\r\n`
  return lines
}

const headText = ({ method, target, fields }: RequestHead, chunked: boolean): string =>
  `${method} ${target} HTTP/1.1\r\n${fieldLines(fields)}${chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"}`

const lastChunk = (trailers: ReadonlyArray<string>): string => `0\r\n${fieldLines(trailers)}\r\n`

/** Writes a request's head and body on a connection (RFC 9112 sections 3, 6 and 7): as one write where it is whole. */
export class RequestWriter {
  private source: ChunkSource<RequestBroken> | undefined

  constructor(
    private readonly connection: Connection,
    private readonly head: RequestHead,
    private readonly body: RequestBody,
    private readonly progress: RequestProgress,
  ) {}

  start(): void {
    switch (this.body._tag) {
      case "Empty":
        this.connection.writeText(headText(this.head, false))
        return this.progress.requestSent()
      case "Bytes":
        return this.writeWhole(this.body.bytes, this.body.chunked, this.body.trailers)
      case "Moving":
        this.connection.writeText(headText(this.head, this.body.chunked))
        return this.writeMoving(this.body.source, this.body.chunked)
    }
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

  private writeWhole(bytes: Uint8Array, chunked: boolean, trailers: ReadonlyArray<string>): void {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
    const framed = chunked ? `${text === "" ? "" : this.chunkText(text)}${lastChunk(trailers)}` : text
    this.connection.writeText(headText(this.head, chunked) + framed)
    this.progress.requestSent()
  }

  private chunkText(text: string): string {
    return `${text.length.toString(16)}\r\n${text}\r\n`
  }

  private writeMoving(source: ChunkSource<RequestBroken>, chunked: boolean): void {
    this.source = source
    source.consume({
      chunk: (chunk) => {
        const more = chunked ? this.writeChunk(chunk) : this.connection.write(chunk)
        if (!more) this.progress.serverIsBusy(true)
        return more
      },
      end: (trailers) => {
        this.source = undefined
        if (chunked) this.connection.writeText(lastChunk(trailers))
        this.progress.requestSent()
      },
      fail: (error) => {
        this.source = undefined
        this.progress.requestBroken(error)
      },
    })
  }

  private writeChunk(chunk: Uint8Array): boolean {
    let more = true
    this.connection.batch(() => {
      this.connection.writeText(`${chunk.byteLength.toString(16)}\r\n`)
      this.connection.write(chunk)
      more = this.connection.writeText("\r\n")
    })
    return more
  }
}
