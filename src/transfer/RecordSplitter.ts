import { Either } from "effect"
import { isUtf8 } from "node:buffer"

/** A line of a file, or a record of CSV, which may have line breaks in quoted fields. */
export interface FileRecord {
  /** The number of its first line. */
  readonly line: number
  /** Its text without the line break at its end, or what is wrong with it. */
  readonly text: Either.Either<string, string>
}

const [newline, carriageReturn, quote, comma] = [0x0a, 0x0d, 0x22, 0x2c]
const newlineByte = Buffer.of(newline)
const byteOrderMark = Buffer.from("\uFEFF")

/** Splits bytes into records as they come. Holds one record, and no more of it than it may have. */
export class RecordSplitter {
  /** The first bytes, until there are enough to tell a byte order mark; `undefined` behind them. */
  private beginning: Buffer | undefined = Buffer.alloc(0)
  /** Lines before the present one. */
  private passed = 0
  private begunAt = 1
  private held: Array<Uint8Array> = []
  private size = 0
  // The state of the quotation marks of CSV (RFC 4180 section 2): those that open a field stand at its beginning.
  private atFieldStart = true
  private inQuotes = false
  private behindQuote = false

  /**
   * `quotes`: a line break in a quoted field does not end the record. `longest`: bytes that a record may have; what is
   * longer is not kept.
   */
  constructor(
    private readonly quotes: boolean,
    private readonly longest: number,
  ) {}

  /** The records that these bytes end. */
  push(bytes: Buffer): ReadonlyArray<FileRecord> {
    if (this.beginning === undefined) return this.split(bytes)
    this.beginning = Buffer.concat([this.beginning, bytes])
    return this.beginning.length < byteOrderMark.length ? [] : this.begin(this.beginning)
  }

  private begin(bytes: Buffer): ReadonlyArray<FileRecord> {
    this.beginning = undefined
    const hasMark = bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark)
    return this.split(hasMark ? bytes.subarray(byteOrderMark.length) : bytes)
  }

  private split(chunk: Buffer): ReadonlyArray<FileRecord> {
    const records: Array<FileRecord> = []
    for (let at = 0; at < chunk.length;) {
      const end = chunk.indexOf(newline, at)
      this.take(chunk.subarray(at, end < 0 ? chunk.length : end))
      if (end < 0) break
      this.passed++
      if (this.inQuotes) this.hold(newlineByte)
      else records.push(this.end())
      at = end + 1
    }
    return records
  }

  /** The present record, where it is longer than it may be already: it may never end. */
  get overlong(): ReadonlyArray<FileRecord> {
    return this.size > this.longest ? [{ line: this.begunAt, text: this.tooLong }] : []
  }

  /** The last record, if no line break ended it. */
  finish(): ReadonlyArray<FileRecord> {
    const before = this.beginning === undefined ? [] : this.begin(this.beginning)
    if (this.size === 0 && !this.inQuotes) return before
    const isOpen = this.inQuotes
    const record = this.end()
    return [...before, isOpen ? { ...record, text: Either.left("its quotation mark is not closed") } : record]
  }

  private take(piece: Buffer): void {
    if (this.quotes && piece.length > 0) this.watchQuotes(piece)
    this.hold(piece)
  }

  private hold(piece: Uint8Array): void {
    this.size += piece.length
    if (this.size > this.longest) this.held = []
    else this.held.push(piece)
  }

  private watchQuotes(piece: Buffer): void {
    if (!this.inQuotes && !piece.includes(quote)) {
      this.behindQuote = false
      this.atFieldStart = piece[piece.length - 1] === comma
      return
    }
    for (const byte of piece) {
      if (this.inQuotes) {
        if (byte !== quote) continue
        this.inQuotes = false
        this.behindQuote = true
      } else if (byte === quote && (this.atFieldStart || this.behindQuote)) {
        this.inQuotes = true
      } else {
        this.behindQuote = false
        this.atFieldStart = byte === comma
      }
    }
  }

  private get tooLong(): Either.Either<string, string> {
    return Either.left(`it is longer than ${this.longest} bytes`)
  }

  private end(): FileRecord {
    const record = { line: this.begunAt, text: this.size > this.longest ? this.tooLong : textOf(this.held) }
    this.begunAt = this.passed + 1
    this.held = []
    this.size = 0
    this.atFieldStart = true
    this.inQuotes = false
    this.behindQuote = false
    return record
  }
}

const textOf = (pieces: ReadonlyArray<Uint8Array>): Either.Either<string, string> => {
  const bytes = Buffer.concat(pieces)
  if (!isUtf8(bytes)) return Either.left("it is not UTF-8")
  const end = bytes[bytes.length - 1] === carriageReturn ? bytes.length - 1 : bytes.length
  return Either.right(bytes.toString("utf8", 0, end))
}
