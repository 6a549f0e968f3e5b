import type { RepairName } from "./Repairs.js"

/** Receives the body of a message. Must not throw. */
export interface BodyHandler {
  /** Content, never empty. It is usually a view of the bytes given to `execute`, so copy what outlives that call. */
  body(chunk: Buffer): void
  /** The message is complete. `trailers` are raw pairs, flat. */
  end(trailers: ReadonlyArray<string>): void
}

/** Size limits of a message. Sizes are bytes on the wire, line ends included. */
export interface MessageLimits {
  /** Start line and fields of one head; at least 16. */
  readonly maxHeadBytes: number
  /** Fields in one head, and in one trailer section. */
  readonly maxFields: number
  /** One chunk-size line with its extensions; at least 16. */
  readonly maxChunkLine: number
  /** One trailer section; at least 2, the empty line that ends it. */
  readonly maxTrailerBytes: number
}

/** Why parsing failed: a rule was broken, a limit was exceeded, or the connection ended too early. */
export interface ParserFault {
  /** A phrase that quotes nothing of what was sent. */
  readonly problem: string
  /**
   * Where it is in a response, for the log: a line by its number and the name of its field, or a chunk by its number. Of
   * values, which may be secrets, only those of framing fields are quoted.
   */
  readonly place: string | undefined
  readonly kind: "protocol" | "too large" | "incomplete"
}

type State =
  | "idle"
  | "head"
  | "sized body"
  | "body to the end"
  | "chunk size"
  | "chunk data"
  | "chunk end"
  | "trailers"
  | "complete"

const HTAB = 9
export const LF = 10
export const CR = 13
export const SPACE = 32
const ZERO = 48
const COLON = 58
export const DELETE = 127

const blankLine = Buffer.from("\r\n\r\n", "latin1")
export const none: ReadonlyArray<string> = []

/** 1 for the bytes of a token (RFC 9110 section 5.6.2). */
export const tokenBytes = new Uint8Array(256)
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
  tokenBytes[byte] = 1

/** The value of a hexadecimal digit, 16 for any other byte. */
const hexValues = new Uint8Array(256).fill(16)
for (let value = 0; value < 16; value++) {
  hexValues[value.toString(16).charCodeAt(0)] = value
  hexValues[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** A hexadecimal number with this many digits is always a safe integer. */
const safeHexDigits = 13

/** Smaller chunks that arrive in one read are joined, because each call of `body` would cost many times its bytes. */
const smallChunk = 1_024

/** `chunk-ext` of RFC 9112 section 7.1.1. `blanks`: pattern of the whitespace around and after its parts. */
const chunkExtensions = (blanks: string): RegExp => {
  const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
  const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"`
  const equals = `${blanks}=${blanks}`
  return new RegExp(`^(?:${blanks};${blanks}${token}(?:${equals}(?:${token}|${quoted}))?)*${blanks}$`)
}
const strictExtensions = chunkExtensions("")
const paddedExtensions = chunkExtensions("[\\t ]*")

/** Placeholders after the end of a message, so that an idle connection keeps no fields and no receiver in memory. */
const noFields: Array<string> = []
const nobody: BodyHandler = { body: () => {}, end: () => {} }

const isBlank = (code: number): boolean => code === SPACE || code === HTAB

/** The index of the first control byte of `text` within [start, end), or -1. */
export const findControl = (text: string, start: number, end: number): number => {
  // For each byte of a head: without a call, which asks what is called.
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code < SPACE ? code !== HTAB : code === DELETE) return at
  }
  return -1
}

export const controlProblem = (text: string, at: number, place: string): string =>
  text.charCodeAt(at) === CR ? `a carriage return stands alone in ${place}` : `a control byte stands in ${place}`

/** The text without whitespace around it (RFC 9110 section 5.6.3); in linear time, as no pattern does it. */
export const withoutBlanks = (text: string): string => {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/** Names and lines that are quoted are cut behind so many characters. */
const longestQuoted = 60

/** A part of what was sent, for the log: short, and in visible ASCII. */
export const quoted = (text: string): string => {
  const cut = text.length > longestQuoted ? `${text.slice(0, longestQuoted)}…` : text
  return `"${cut.replace(/[^ !#-[\]-~…]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`)}"`
}

/** Why the text at `start` is not a field name and a colon; its token ends at `stop`. */
const nameProblem = (text: string, start: number, stop: number): string => {
  const code = text.charCodeAt(stop)
  if (stop === start && isBlank(code)) return "a field line is folded, or begins with whitespace"
  if (stop === start && code === COLON) return "a field has no name"
  if (isBlank(code)) return "whitespace stands between a field name and its colon"
  return "a field name holds a byte that is not allowed in it, or no colon follows it"
}

/** Parses decimal digits (RFC 9110 section 8.6); -1 for any other text, and for more than a safe integer. */
export const parseLength = (value: string): number => {
  let length = 0
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
    if (length > Number.MAX_SAFE_INTEGER) return -1
  }
  return value === "" ? -1 : length
}

/**
 * Parses what requests and responses share (RFC 9112 sections 5 to 7): a start line, fields, a body framed by a length,
 * by chunks or by the end of the connection, and trailers. It takes bytes and emits events or one fault. It keeps no
 * view of the bytes, and its events do not depend on how the bytes were split into reads.
 *
 * It is strict, because messages that two programs interpret differently allow request smuggling:
 *
 * - Lines end with CRLF. Folded fields, control bytes, whitespace before a colon and around the parts of a chunk-size line
 *   are faults, unless `mend` repairs them.
 * - Chunk extensions are checked and dropped. A framing field among the trailers is a fault.
 */
export abstract class MessageParser {
  protected state: State = "idle"
  protected receiver: BodyHandler = nobody
  private broken: ParserFault | undefined
  private received = 0

  /** The incomplete line, and the number of bytes so far of its section (head, chunk line or trailers). */
  private line = ""
  private sectionBytes = 0
  private hasStartLine = false
  protected fields: Array<string> = []

  /** Lines of this section that are not among the fields: what was dropped of them, and what was joined. */
  private linesBeside = 0
  /** The number of fields when a line was last dropped. */
  private fieldsAtDrop = 0

  /** Bytes of the sized body, or of the chunk, that are still to come. */
  private remaining = 0
  /** Chunks that have begun. */
  private chunks = 0
  /** Small chunks that the receiver has not got yet. */
  private smallChunks: Array<Buffer> = []

  /** `kind`: the word for its messages in faults. */
  constructor(
    private readonly kind: "request" | "response",
    private readonly limits: MessageLimits,
  ) {}

  /** The connection has ended. That completes a body without other framing; any other incomplete message is a fault. */
  finish(): void {
    if (this.broken !== undefined) return
    if (this.state === "body to the end") {
      const { receiver } = this
      this.settle()
      receiver.end(none)
    } else if (this.state !== "idle" && this.state !== "complete") {
      const part =
        this.received === 0
          ? `any byte of the ${this.kind}`
          : this.state === "head"
            ? `the head of the ${this.kind} was complete`
            : `the body of the ${this.kind} was complete`
      this.fail(`the connection ended before ${part}`, "incomplete")
    }
  }

  /** The first fault since the message began. */
  get fault(): ParserFault | undefined {
    return this.broken
  }

  /** The message has been read to its end. */
  get isComplete(): boolean {
    return this.state === "complete"
  }

  /** Whether a head has begun: bytes have come that are not empty lines before it. */
  get isInHead(): boolean {
    return this.state === "head" && (this.hasStartLine || (this.line !== "" && this.line !== "\r"))
  }

  /** Number of bytes since the message began, including those after its end. */
  get bytesReceived(): number {
    return this.received
  }

  /** Whether any byte has arrived since the message began. */
  get hasStarted(): boolean {
    return this.received > 0
  }

  /** The number of first bytes that `mayBeStartLine` checks. */
  protected abstract readonly prefixLength: number
  /** The fault if that check fails. */
  protected abstract readonly startProblem: string
  /** Whether the text from `start` on can be the beginning of a start line. */
  protected abstract mayBeStartLine(text: string, start: number): boolean
  /**
   * Reads a start line without its line end. False: an empty line before it, or a fault, for which `fail` was called.
   */
  protected abstract takeStartLine(text: string, start: number, end: number): boolean
  /** A field with a name of this length was added to `fields`. */
  protected abstract noteField(nameLength: number): void
  /** The head is complete at `at`: chooses the next state. Returns the index to continue at. */
  protected abstract endOfHead(bytes: Buffer, at: number): number
  /** The message is complete at `at`. Called before `end` of the receiver. Returns the index to continue at. */
  protected abstract endOfMessage(bytes: Buffer, at: number): number

  /** Parses from `from` to the end of the bytes, a fault, or a state that takes no bytes. */
  protected run(bytes: Buffer, from: number): number {
    let at = from
    while (at < bytes.length && this.broken === undefined && this.state !== "idle" && this.state !== "complete")
      at = this.step(bytes, at)
    this.emitSmallChunks()
    return at
  }

  protected count(bytes: number): void {
    this.received += bytes
  }

  /**
   * Asked where a rule is broken in a way that could be repaired: whether it is. `place`: as in a fault. Requests are never
   * repaired, because only their smuggling would profit.
   */
  protected mend(_repair: RepairName, _place?: string): boolean {
    return false
  }

  protected fail(problem: string, kind: ParserFault["kind"] = "protocol", place?: string): false {
    this.emitSmallChunks()
    this.broken = { problem, kind, place: this.kind === "response" ? place : undefined }
    this.receiver = nobody
    this.fields = noFields
    this.line = ""
    return false
  }

  /** Prepares for the start of a message. */
  protected begin(receiver: BodyHandler): void {
    this.receiver = receiver
    this.broken = undefined
    this.received = 0
    this.beginHead()
  }

  protected beginHead(): void {
    this.state = "head"
    this.line = ""
    this.sectionBytes = 0
    this.hasStartLine = false
    this.beginFields()
  }

  private beginFields(): void {
    this.fields = []
    this.linesBeside = 0
    this.fieldsAtDrop = 0
  }

  protected beginSizedBody(length: number): void {
    this.state = "sized body"
    this.remaining = length
  }

  protected beginChunkedBody(): void {
    this.state = "chunk size"
    this.sectionBytes = 0
    this.chunks = 0
  }

  /** The message is over. From now on the receiver may call `begin` for the next one, even from within `end`. */
  protected settle(): void {
    this.state = "complete"
    this.receiver = nobody
    this.fields = noFields
  }

  /** Parses the next part of the message. Returns the index of the part after it. */
  private step(bytes: Buffer, at: number): number {
    switch (this.state) {
      case "head":
        return this.takeHead(bytes, at)
      case "sized body":
        return this.takeSizedBody(bytes, at)
      case "body to the end":
        this.receiver.body(at === 0 ? bytes : bytes.subarray(at))
        return bytes.length
      case "chunk size":
        return this.takeChunkSize(bytes, at)
      case "chunk data":
        return this.takeChunkData(bytes, at)
      case "chunk end":
        return this.takeChunkEnd(bytes, at)
      case "trailers":
        return this.takeTrailerLine(bytes, at)
      case "idle":
      case "complete":
        return at
    }
  }

  /** Decodes a head at once if `bytes` contains all of it, else line by line. */
  private takeHead(bytes: Buffer, at: number): number {
    const limit = this.limits.maxHeadBytes
    if (this.sectionBytes === 0) {
      const blank = bytes.indexOf(blankLine, at)
      const end = blank + blankLine.length
      if (blank !== -1 && end - at <= limit) return this.takeWholeHead(bytes, at, end)
    }
    const isBeginning = this.sectionBytes < this.prefixLength
    const next = this.collectLine(bytes, at)
    if (isBeginning && !this.mayBeStartLine(this.line, 0)) {
      this.fail(this.startProblem)
    } else if (this.sectionBytes > limit) {
      this.fail(`the head of the ${this.kind} is too large`, "too large")
    } else if (bytes[next - 1] === LF) {
      const text = this.takeLine()
      if (this.takeHeadLine(text, 0, text.length - 1)) return this.endOfHead(bytes, next)
    }
    return next
  }

  private takeWholeHead(bytes: Buffer, at: number, end: number): number {
    const text = bytes.toString("latin1", at, end)
    let start = 0
    while (start < text.length) {
      const lineFeed = text.indexOf("\n", start)
      if (this.takeHeadLine(text, start, lineFeed)) return this.endOfHead(bytes, at + lineFeed + 1)
      if (this.broken !== undefined) return bytes.length
      start = lineFeed + 1
    }
    // There were only empty lines, which may precede a head.
    this.sectionBytes = text.length
    return end
  }

  /**
   * Appends bytes up to the LF to `line`. Do not read `line` before it is complete: V8 copies it each time (a rope).
   */
  private collectLine(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(LF, at)
    const next = lineFeed === -1 ? bytes.length : lineFeed + 1
    this.sectionBytes += next - at
    this.line += bytes.toString("latin1", at, next)
    return next
  }

  private takeLine(): string {
    const line = this.line
    this.line = ""
    return line
  }

  /** Parses the line of a head that ends with the LF at `lineFeed`. True: it was the empty line that ends the head. */
  private takeHeadLine(text: string, start: number, lineFeed: number): boolean {
    if (!this.hasStartLine && !this.mayBeStartLine(text, start)) return this.fail(this.startProblem)
    let end = lineFeed - 1
    if (text.charCodeAt(end) !== CR) {
      if (!this.mend("bareLineFeed"))
        return this.fail("a line of the head ends without a carriage return", "protocol", this.placeOf(text, start))
      end = lineFeed
    }
    if (!this.hasStartLine) {
      this.hasStartLine = this.takeStartLine(text, start, end)
      return false
    }
    if (end === start) return true
    const nameLength = this.takeField(text, start, end)
    if (nameLength !== -1) this.noteField(nameLength)
    return false
  }

  /**
   * Adds `name: value` to the fields (RFC 9112 section 5). Returns the length of the name; -1 after a fault, and for a line
   * that adds none.
   */
  private takeField(text: string, start: number, end: number): number {
    // A variable of the module would be looked up for each character.
    const tokens = tokenBytes
    let nameEnd = start
    while (tokens[text.charCodeAt(nameEnd)] === 1) nameEnd++
    let colon = nameEnd
    if (nameEnd === start || text.charCodeAt(nameEnd) !== COLON) {
      colon = this.mendFieldLine(text, start, nameEnd, end)
      if (colon === -1) return -1
    }
    let from = colon + 1
    let to = end
    while (from < to && isBlank(text.charCodeAt(from))) from++
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--
    const control = findControl(text, from, to)
    if (control !== -1) {
      this.fail(controlProblem(text, control, "the value of a field"), "protocol", this.placeOf(text, start))
      return -1
    }
    if (this.fields.length >= 2 * this.limits.maxFields) {
      this.fail("there are too many fields", "too large")
      return -1
    }
    this.fields.push(text.slice(start, nameEnd), text.slice(from, to))
    return nameEnd - start
  }

  /** A line that does not begin with a name and a colon. Returns the index of its colon, or -1 if it adds no field. */
  private mendFieldLine(text: string, start: number, nameEnd: number, end: number): number {
    let colon = nameEnd
    while (isBlank(text.charCodeAt(colon))) colon++
    const hasName = nameEnd > start && text.charCodeAt(colon) === COLON
    const place = this.placeOf(text, start)
    if (hasName && this.mend("blankBeforeColon", place)) return colon
    if (this.linesBeside >= this.limits.maxFields) this.fail("there are too many lines that are no field", "too large")
    else if (hasName || findControl(text, start, end) !== -1 || !this.mendOtherLine(text, start, end, place))
      this.fail(nameProblem(text, start, nameEnd), "protocol", place)
    return -1
  }

  /** Joins a folded line to the value of the field before it, or drops a line that is no field. False: neither. */
  private mendOtherLine(text: string, start: number, end: number, place: string): boolean {
    // What follows a dropped line belongs to it. A line that begins with whitespace before any field is dropped, too.
    const isFolded = isBlank(text.charCodeAt(start)) && this.fields.length > this.fieldsAtDrop
    if (isFolded ? this.isFramingField() || !this.mend("folded", place) : !this.mend("noField", place)) return false
    this.linesBeside++
    if (isFolded) this.joinToLast(withoutBlanks(text.slice(start, end)))
    else this.fieldsAtDrop = this.fields.length
    return true
  }

  /** A folded line stands for one space (RFC 9112 section 5.2). */
  private joinToLast(part: string): void {
    const last = this.fields.length - 1
    const value = this.fields[last] ?? ""
    if (part !== "") this.fields[last] = value === "" ? part : `${value} ${part}`
  }

  /** Whether the last field frames the message: its value was taken for whole already. */
  private isFramingField(): boolean {
    const name = this.fields[this.fields.length - 2]?.toLowerCase()
    return name === "content-length" || name === "transfer-encoding"
  }

  /** Where the line at `start` is. Its text is not quoted: it may be a part of a value. */
  private placeOf(text: string, start: number): string {
    if (!this.hasStartLine) return "the first line"
    const isTrailer = this.state === "trailers"
    const number = this.fields.length / 2 + this.linesBeside + (isTrailer ? 1 : 2)
    const line = `line ${number} of the ${isTrailer ? "trailers" : "head"}`
    const name = /[!#$%&'*+.^_`|~\w-]+(?=[ \t]*:)/y
    name.lastIndex = start
    const [own] = name.exec(text) ?? []
    if (own !== undefined) return `${line}, ${quoted(own)}`
    const before = this.fields[this.fields.length - 2]
    return before === undefined ? line : `${line}, behind ${quoted(before)}`
  }

  /** Where the field is that was added last, with its value: for fields whose values are no secrets. */
  protected get placeOfLast(): string {
    return this.framingField(this.fields.length - 2, this.linesBeside)
  }

  /** The place of the last field of this name, in small letters. It has no number where lines before it may be missing. */
  protected placeOfField(name: string): string | undefined {
    const at = this.fields.findLastIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name)
    return at === -1 ? undefined : this.framingField(at, this.linesBeside === 0 ? 0 : undefined)
  }

  private framingField(at: number, linesBeside: number | undefined): string {
    const line = linesBeside === undefined ? "a line" : `line ${at / 2 + 2 + linesBeside}`
    return `${line} of the head, ${quoted(`${this.fields[at]}: ${this.fields[at + 1]}`)}`
  }

  /** Emits the bytes that belong to the body or the chunk. Returns the index of their end. */
  private takeRemaining(bytes: Buffer, at: number): number {
    const available = bytes.length - at
    const size = available < this.remaining ? available : this.remaining
    this.remaining -= size
    this.receiver.body(size === bytes.length ? bytes : bytes.subarray(at, at + size))
    return at + size
  }

  private takeSizedBody(bytes: Buffer, at: number): number {
    const next = this.takeRemaining(bytes, at)
    return this.remaining === 0 ? this.finishMessage(bytes, next, none) : next
  }

  /** Ends the message at `at`. */
  private finishMessage(bytes: Buffer, at: number, trailers: ReadonlyArray<string>): number {
    const { receiver } = this
    this.emitSmallChunks()
    this.settle()
    const next = this.endOfMessage(bytes, at)
    receiver.end(trailers)
    return next
  }

  /** Joins small chunks within `bytes`. The last chunk there, complete or not, is emitted at once. */
  private takeChunkData(bytes: Buffer, at: number): number {
    const end = at + this.remaining
    if (this.remaining >= smallChunk || end + 2 >= bytes.length) {
      this.emitSmallChunks()
      const next = this.takeRemaining(bytes, at)
      if (this.remaining === 0) this.state = "chunk end"
      return next
    }
    this.smallChunks.push(bytes.subarray(at, end))
    this.remaining = 0
    this.state = "chunk end"
    return end
  }

  private emitSmallChunks(): void {
    const { smallChunks } = this
    const [only] = smallChunks
    if (only === undefined) return
    this.smallChunks = []
    this.receiver.body(smallChunks.length === 1 ? only : Buffer.concat(smallChunks))
  }

  /** The CRLF after a chunk's data. It may be split into two reads. */
  private takeChunkEnd(bytes: Buffer, at: number): number {
    if (bytes[at] !== (this.sectionBytes === 0 ? CR : LF)) {
      if (this.sectionBytes === 0 && bytes[at] === LF && this.mend("bareLineFeed")) this.state = "chunk size"
      else this.fail("the data of a chunk is not followed by a line end", "protocol", this.chunkPlace)
    } else if (this.sectionBytes === 0) {
      this.sectionBytes = 1
    } else {
      this.sectionBytes = 0
      this.state = "chunk size"
    }
    return at + 1
  }

  /**
   * `chunk-size [ chunk-ext ] CRLF` (RFC 9112 section 7.1). A number without extensions is parsed without making a
   * string.
   */
  private takeChunkSize(bytes: Buffer, at: number): number {
    if (this.sectionBytes === 0) {
      let size = 0
      let stop = at
      for (const most = at + safeHexDigits; stop < most; stop++) {
        const digit = hexValues[bytes[stop] ?? 0] ?? 16
        if (digit === 16) break
        size = size * 16 + digit
      }
      if (stop > at && bytes[stop] === CR && bytes[stop + 1] === LF) {
        this.beginChunk(size)
        return stop + 2
      }
    }
    const next = this.collectLine(bytes, at)
    if (this.sectionBytes > this.limits.maxChunkLine) this.fail("a chunk-size line is too long", "too large")
    else if (bytes[next - 1] === LF) this.takeChunkLine(this.takeLine())
    return next
  }

  private takeChunkLine(line: string): void {
    const isBare = line.charCodeAt(line.length - 2) !== CR
    const end = line.length - (isBare ? 1 : 2)
    let size = 0
    let stop = 0
    for (let digit = 0; stop < end; stop++) {
      digit = hexValues[line.charCodeAt(stop)] ?? 16
      if (digit === 16) break
      size = size * 16 + digit
    }
    if (isBare && !this.mend("bareLineFeed")) this.failChunk("a chunk-size line ends without a carriage return")
    else if (stop === 0) this.failChunk("a chunk has no size in hexadecimal digits")
    else if (size > Number.MAX_SAFE_INTEGER) this.failChunk("the size of a chunk is too large")
    else if (!this.takesExtensions(line.slice(stop, end)))
      this.failChunk("what follows the size of a chunk is no extension")
    else this.beginChunk(size)
  }

  private failChunk(problem: string): void {
    this.chunks++
    this.fail(problem, "protocol", this.chunkPlace)
  }

  private get chunkPlace(): string {
    return `chunk ${this.chunks}`
  }

  private takesExtensions(text: string): boolean {
    return strictExtensions.test(text) || (paddedExtensions.test(text) && this.mend("blankInChunkLine"))
  }

  private beginChunk(size: number): void {
    this.sectionBytes = 0
    this.chunks++
    this.remaining = size
    this.state = size === 0 ? "trailers" : "chunk data"
    // A new array, because the handler owns that of the head.
    if (size === 0) this.beginFields()
  }

  /** A line of the trailer section (RFC 9112 section 7.1.2), or the empty line that ends it and the message. */
  private takeTrailerLine(bytes: Buffer, at: number): number {
    if (this.sectionBytes === 0 && bytes[at] === CR && bytes[at + 1] === LF)
      return this.finishMessage(bytes, at + 2, none)
    const next = this.collectLine(bytes, at)
    if (this.sectionBytes > this.limits.maxTrailerBytes) {
      this.fail("the trailer section is too large", "too large")
    } else if (bytes[next - 1] === LF) {
      const text = this.takeLine()
      const isBare = text.charCodeAt(text.length - 2) !== CR
      const end = text.length - (isBare ? 1 : 2)
      if (isBare && !this.mend("bareLineFeed"))
        this.fail("a line of the trailers ends without a carriage return", "protocol", this.placeOf(text, 0))
      else if (end === 0) return this.finishMessage(bytes, next, this.fields)
      else if (this.takeField(text, 0, end) !== -1) this.checkTrailer()
    }
    return next
  }

  private checkTrailer(): void {
    if (this.isFramingField()) this.fail("a framing field is among the trailers")
  }
}
