import type { Writable } from "node:stream"
import type { Consumption } from "./ChunkSource.js"
import type { RawFields } from "./HeaderFields.js"

/**
 * Up to this size content is written as a string joined with its head and framing: one buffer instead of several
 * (writev).
 */
const largestText = 16_384

/** Field lines of flat pairs. */
export const fieldLines = (fields: RawFields): string => {
  let lines = ""
  for (let index = 0; index + 1 < fields.length; index += 2) lines += `${fields[index]}: ${fields[index + 1]}\r\n`
  return lines
}

const textOf = (bytes: Uint8Array): string => {
  // A view of a view costs as much as the text.
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString("latin1")
}

/**
 * Writes one HTTP/1.1 message on a connection (RFC 9112 sections 6 and 7): its head, then content, framed by chunks or
 * by the length that the head gives. The head is held back until the first write or `flush`, so that it leaves together
 * with the content.
 */
export class MessageWriter {
  /**
   * `head`: start line and fields as text, including the empty line after them. `written`: called after each write of
   * content and of the end, with the error if it failed, before the sink acts on the error.
   */
  constructor(
    private readonly sink: Writable,
    private head: string,
    private readonly chunked: boolean,
    private readonly written?: (error: Error | null | undefined) => void,
  ) {}

  /** Writes the whole message. */
  whole(bytes: Uint8Array | undefined, trailers: RawFields): void {
    if (bytes !== undefined && bytes.byteLength > 0) this.chunk(bytes, trailers)
    else this.end(trailers)
  }

  /** Writes content. With `trailers` (which may be empty) it also writes the end of the message. */
  chunk(bytes: Uint8Array, trailers?: RawFields): Consumption {
    const before = this.chunked ? `${this.takeHead()}${bytes.byteLength.toString(16)}\r\n` : this.takeHead()
    const last = trailers === undefined ? "" : `0\r\n${fieldLines(trailers)}\r\n`
    const behind = this.chunked ? `\r\n${last}` : ""
    const isText = bytes.byteLength <= largestText
    if (isText) this.sink.write(before + textOf(bytes) + behind, "latin1", this.written)
    else this.writeAll(before, bytes, behind)
    // If the kernel took all at once, there is nothing to wait for, although Node will emit `drain`.
    if (this.sink.writableLength === 0) return "consumed"
    if (this.sink.writableNeedDrain) return "full"
    return isText ? "consumed" : "buffered"
  }

  /** Ends the message. */
  end(trailers: RawFields): void {
    const text = this.chunked ? `${this.takeHead()}0\r\n${fieldLines(trailers)}\r\n` : this.takeHead()
    if (text !== "") this.sink.write(text, "latin1", this.written)
  }

  /** Writes the head, if nothing has been written yet. */
  readonly flush = (): void => {
    if (this.head !== "") this.sink.write(this.takeHead(), "latin1")
  }

  private takeHead(): string {
    const { head } = this
    this.head = ""
    return head
  }

  private writeAll(before: string, bytes: Uint8Array, behind: string): void {
    if (before === "" && behind === "") return void this.sink.write(bytes, this.written)
    this.sink.cork()
    if (before !== "") this.sink.write(before, "latin1")
    this.sink.write(bytes, this.written)
    if (behind !== "") this.sink.write(behind, "latin1")
    this.sink.uncork()
  }
}
