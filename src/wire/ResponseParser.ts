/** Status line and fields of a response (RFC 9112 sections 4 and 5). */
export interface ParsedHead {
  /** 100 to 999. */
  readonly status: number
  /** `""` where there is none. */
  readonly reason: string
  /** Raw pairs, flat (name, value, name, value): order, case and duplicates kept, latin1, no OWS around values. */
  readonly fields: Array<string>
  readonly minorVersion: 0 | 1
}

/** Whom the parser tells what it read, in order: `informational`*, `head`, `body`*, `end`. Must not throw. */
export interface ResponseHandler {
  /** An interim response: 100 to 199 but not 101. */
  informational(head: ParsedHead): void
  /** The final response, or a 101. With no body to come `isComplete` holds already, and `surplus` is known. */
  head(head: ParsedHead): void
  /** A piece of the body, never empty: a view of the bytes given to `execute`, so copy what outlives that call. */
  body(chunk: Uint8Array): void
  /** The message is complete. `keepAlive` is known; the only place from which `reset` may be called. */
  end(trailers: ReadonlyArray<string>): void
}

/** What a response may cost. Sizes are bytes on the wire, line ends included. */
export interface ParserLimits {
  /** Status line and fields of one head; at least 16. */
  readonly maxHeadBytes: number
  /** Fields in one head, and in one trailer section. */
  readonly maxFields: number
  /** One chunk-size line with its extensions; at least 16. */
  readonly maxChunkLine: number
  /** One trailer section; at least 2, the empty line that ends it. */
  readonly maxTrailerBytes: number
  /** Interim responses before the final one. */
  readonly maxInformational: number
}

export const defaultParserLimits: ParserLimits = {
  maxHeadBytes: 65_536,
  maxFields: 1000,
  maxChunkLine: 4096,
  maxTrailerBytes: 16_384,
  maxInformational: 32,
}

/** Why the bytes are no response: a rule was broken, or the connection ended too early. */
export interface ParserFault {
  /** The broken rule in plain English; repeats nothing of what was sent. */
  readonly problem: string
  readonly kind: "protocol" | "incomplete"
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
const LF = 10
const CR = 13
const SPACE = 32
const ZERO = 48
const COLON = 58
const DELETE = 127

const versionPrefix = "HTTP/1."
const blankLine = Buffer.from("\r\n\r\n", "latin1")
const none: ReadonlyArray<string> = []

/** 1 for the bytes of a token (RFC 9110 section 5.6.2). */
const tokenBytes = new Uint8Array(256)
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
  tokenBytes[byte] = 1

/** The value of a hexadecimal digit, 16 for any other byte. */
const hexValues = new Uint8Array(256).fill(16)
for (let value = 0; value < 16; value++) {
  hexValues[value.toString(16).charCodeAt(0)] = value
  hexValues[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** So many hexadecimal digits are a safe integer whatever they are. */
const safeHexDigits = 13

/** `chunk-ext` of RFC 9112 section 7.1.1, without the bad whitespace that nobody should send. */
const chunkExtensions = (() => {
  const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+"
  const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"`
  return new RegExp(`^(?:;${token}(?:=(?:${token}|${quoted}))?)*$`)
})()

/** Fields that mean nothing, or harm, once the body is gone: routing, connection, authentication, coding. */
const notInTrailers: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-encoding",
  "content-range",
  "content-type",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "set-cookie",
  "te",
  "trailer",
  "upgrade",
  "www-authenticate",
])

/** What stays of a message that is over, so that an idle connection holds on to nothing and nobody. */
const noFields: Array<string> = []
const nobody: ResponseHandler = { informational: () => {}, head: () => {}, body: () => {}, end: () => {} }

const isPrintable = (code: number): boolean => (code >= SPACE && code !== DELETE) || code === HTAB

/** Where the first control byte of `text` stands within [start, end), or -1. */
const findControl = (text: string, start: number, end: number): number => {
  for (let at = start; at < end; at++) if (!isPrintable(text.charCodeAt(at))) return at
  return -1
}

const controlProblem = (text: string, at: number, place: string): string =>
  text.charCodeAt(at) === CR ? `a carriage return stands alone in ${place}` : `a control byte stands in ${place}`

/** Why the bytes [start, stop) with what follows them are no field name and colon. */
const nameProblem = (text: string, start: number, stop: number): string => {
  const code = text.charCodeAt(stop)
  if (stop === start && (code === SPACE || code === HTAB)) return "a field line is folded, or begins with whitespace"
  if (stop === start && code === COLON) return "a field has no name"
  if (code === SPACE || code === HTAB) return "whitespace stands between a field name and its colon"
  return "a field name holds a byte that is not allowed in it, or no colon follows it"
}

/** Decimal digits only, no more than a safe integer (RFC 9110 section 8.6); else -1. */
const parseLength = (value: string): number => {
  let length = 0
  for (let at = 0; at < value.length; at++) {
    const digit = value.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return -1
    length = length * 10 + digit
    if (length > Number.MAX_SAFE_INTEGER) return -1
  }
  return value === "" ? -1 : length
}

/** Seconds of `Keep-Alive: timeout=5, max=100`; undefined where it names none. */
const parseKeepAliveTimeout = (value: string): number | undefined => {
  for (const parameter of value.split(",")) {
    const text = parameter.trim()
    if (text.length < 9 || text.slice(0, 8).toLowerCase() !== "timeout=") continue
    const seconds = parseLength(text.slice(8))
    if (seconds !== -1) return seconds
  }
  return undefined
}

/**
 * Reads the responses of one HTTP/1.1 connection, as a client does (RFC 9112): bytes in, events or one fault out. It
 * keeps no view of the bytes it was given, and the way these are cut makes no difference to what it says.
 *
 * It is strict, because a response that two programs read in two ways is how responses are swapped between requests:
 *
 * - A body's framing must be plain (section 6.3). `Content-Length` once, digits only. `Transfer-Encoding` once, exactly
 *   `chunked`, not in HTTP/1.0, not in a 1xx or 204. Never both.
 * - No body whatever the fields say: answers to `HEAD`, 1xx, 204, 304. After a 204 whose `Content-Length` is not 0 the
 *   connection is not kept: bytes may follow. A 1xx with such a `Content-Length` is a fault: the bytes would come now.
 * - HTTP/1.0 has no interim responses (RFC 9110 section 15.2). `Connection: close` in one holds for the final response.
 * - A 101, and a 2xx to `CONNECT`, end the message at once; what follows is `surplus`, the first bytes of the tunnel.
 * - Neither field: the body ends with the connection.
 * - Lines end with CRLF. No empty line before the status line, no folded fields, no space before a colon, no control
 *   bytes. The one thing tolerated is a missing space before an empty reason (`HTTP/1.1 200`), which many servers send.
 * - Chunk extensions are checked and dropped. Of trailers those are dropped that must not be there (RFC 9110 section
 *   6.5.1): routing, connection, authentication, content coding. A framing field among them is a fault.
 */
export class ResponseParser {
  private readonly limits: ParserLimits
  private state: State = "idle"
  private handler: ResponseHandler = nobody
  private method = ""
  private broken: ParserFault | undefined
  private received = 0
  private extra: Buffer | undefined

  /** The line that has not ended yet, and how many bytes its section (head, chunk line, trailers) has had. */
  private line = ""
  private sectionBytes = 0

  private status = 0
  private reason = ""
  private minorVersion: 0 | 1 = 1
  private fields: Array<string> = []
  private contentLength = -1
  private chunked = false
  private close = false
  private keep = false
  private timeout: number | undefined
  private informationals = 0
  private persistent = false

  /** Bytes of the sized body, or of the chunk, that are still to come. */
  private remaining = 0

  private keepAliveText = ""
  private keepAliveSeconds: number | undefined

  constructor(limits: Partial<ParserLimits> = {}) {
    this.limits = { ...defaultParserLimits, ...limits }
  }

  /** Gets ready for the response to a request of this method. To be called before its bytes can come. */
  reset(method: string, handler: ResponseHandler): void {
    this.method = method
    this.handler = handler
    this.broken = undefined
    this.received = 0
    this.extra = undefined
    this.informationals = 0
    this.close = false
    this.persistent = false
    this.beginHead()
  }

  /** Takes what arrived. After a fault, everything is ignored; after the end of the message, it is `surplus`. */
  execute(bytes: Buffer): void {
    this.received += bytes.length
    let at = 0
    while (at < bytes.length && this.broken === undefined) at = this.step(bytes, at)
  }

  /** The peer sends no more: that ends a body without framing; any other message it cuts short, which is a fault. */
  finish(): void {
    this.persistent = false
    if (this.broken !== undefined) return
    if (this.state === "body to the end") {
      const handler = this.handler
      this.settle()
      handler.end(none)
    } else if (this.state !== "idle" && this.state !== "complete") {
      const part =
        this.received === 0
          ? "any byte of the response"
          : this.state === "head"
            ? "the head of the response was complete"
            : "the body of the response was complete"
      this.fail(`the connection ended before ${part}`, "incomplete")
    }
  }

  /** The first fault since `reset`. */
  get fault(): ParserFault | undefined {
    return this.broken
  }

  /** Whether the body ends with the connection, so that only its end tells that it is complete. */
  get endsWithConnection(): boolean {
    return this.state === "body to the end"
  }

  /** The message has been read to its end. */
  get isComplete(): boolean {
    return this.state === "complete"
  }

  /** Nothing is expected, and nothing came that was not. */
  get isIdle(): boolean {
    return (this.state === "idle" || this.state === "complete") && this.extra === undefined
  }

  /**
   * The message is complete and the connection may carry another request (RFC 9112 section 9.3): neither side's rules
   * end it, its body did not, the peer has not closed it, and no byte came that does not belong to the message.
   */
  get keepAlive(): boolean {
    return this.persistent && this.isComplete && this.extra === undefined
  }

  /** Seconds for which the peer keeps an idle connection, from `Keep-Alive: timeout=…` of the last head. */
  get keepAliveTimeout(): number | undefined {
    return this.timeout
  }

  /** A copy of the bytes after the end of the message: after a 101 the tunnel begins, else the peer broke the rules. */
  get surplus(): Buffer | undefined {
    return this.extra
  }

  /** Bytes since `reset`, surplus included. */
  get bytesReceived(): number {
    return this.received
  }

  /** Whether any byte has arrived since `reset`. */
  get hasStarted(): boolean {
    return this.received > 0
  }

  /** Takes the next part of the message; says where the one after it begins. */
  private step(bytes: Buffer, at: number): number {
    switch (this.state) {
      case "head":
        return this.takeHead(bytes, at)
      case "sized body":
        return this.takeSizedBody(bytes, at)
      case "body to the end":
        this.handler.body(at === 0 ? bytes : bytes.subarray(at))
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
        return this.takeSurplus(bytes, at)
    }
  }

  private fail(problem: string, kind: ParserFault["kind"] = "protocol"): false {
    this.broken = { problem, kind }
    this.handler = nobody
    this.fields = noFields
    this.line = ""
    return false
  }

  /** The message is over. What is told to the handler after this it may answer with a `reset`. */
  private settle(): void {
    this.state = "complete"
    this.handler = nobody
    this.fields = noFields
  }

  private takeSurplus(bytes: Buffer, at: number): number {
    const rest = bytes.subarray(at)
    this.extra = Buffer.concat(this.extra === undefined ? [rest] : [this.extra, rest])
    return bytes.length
  }

  /** Ends the message at `at`, with the rest known as surplus before anybody is told. */
  private finishMessage(bytes: Buffer, at: number, trailers: ReadonlyArray<string>): number {
    const handler = this.handler
    this.settle()
    if (at < bytes.length) this.takeSurplus(bytes, at)
    handler.end(trailers)
    return bytes.length
  }

  private beginHead(): void {
    this.state = "head"
    this.line = ""
    this.sectionBytes = 0
    this.status = 0
    this.fields = []
    this.contentLength = -1
    this.chunked = false
    this.keep = false
    this.timeout = undefined
  }

  /** A head that lies whole in `bytes` is decoded at once; one that does not, line by line. */
  private takeHead(bytes: Buffer, at: number): number {
    if (this.sectionBytes === 0) {
      const blank = bytes.indexOf(blankLine, at)
      const end = blank + blankLine.length
      if (blank !== -1 && end - at <= this.limits.maxHeadBytes) {
        const text = bytes.toString("latin1", at, end)
        let start = 0
        while (start < text.length) {
          const lineFeed = text.indexOf("\n", start)
          if (this.takeHeadLine(text, start, lineFeed)) return this.endOfHead(bytes, at + lineFeed + 1)
          if (this.broken !== undefined) break
          start = lineFeed + 1
        }
        return bytes.length
      }
    }
    const isBeginning = this.sectionBytes < versionPrefix.length
    const next = this.collectLine(bytes, at)
    if (isBeginning && !this.mayBeStatusLine()) {
      this.fail("the response does not begin with HTTP/1.0 or HTTP/1.1")
    } else if (this.sectionBytes > this.limits.maxHeadBytes) {
      this.fail("the head of the response is too large")
    } else if (bytes[next - 1] === LF) {
      const text = this.takeLine()
      if (this.takeHeadLine(text, 0, text.length - 1)) return this.endOfHead(bytes, next)
    }
    return next
  }

  /** Adds to `line` up to its LF, or all there is. To look into `line` before it has ended costs a copy each time. */
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

  /** What came of the status line can still become one: a peer of another protocol is known by its first bytes. */
  private mayBeStatusLine(): boolean {
    return this.line.length < versionPrefix.length
      ? versionPrefix.startsWith(this.line)
      : this.line.startsWith(versionPrefix)
  }

  /** Takes the line of a head that ends with the LF at `lineFeed`. True: it was the empty one that ends the head. */
  private takeHeadLine(text: string, start: number, lineFeed: number): boolean {
    if (this.status === 0 && !text.startsWith(versionPrefix, start))
      return this.fail("the response does not begin with HTTP/1.0 or HTTP/1.1")
    const end = lineFeed - 1
    if (text.charCodeAt(end) !== CR) return this.fail("a line of the head ends without a carriage return")
    if (this.status === 0) return this.takeStatusLine(text, start, end)
    if (end === start) return true
    const colon = this.takeField(text, start, end)
    if (colon !== -1) this.noteField(colon - start)
    return false
  }

  /** `HTTP/1.1 200 OK` (RFC 9112 section 4). */
  private takeStatusLine(text: string, start: number, end: number): false {
    const minor = text.charCodeAt(start + 7) - ZERO
    if (minor !== 0 && minor !== 1) return this.fail("the response does not begin with HTTP/1.0 or HTTP/1.1")
    const hundreds = text.charCodeAt(start + 9) - ZERO
    const tens = text.charCodeAt(start + 10) - ZERO
    const ones = text.charCodeAt(start + 11) - ZERO
    const areDigits = hundreds > 0 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9
    const after = start + 12
    if (text.charCodeAt(start + 8) !== SPACE || !areDigits || (after !== end && text.charCodeAt(after) !== SPACE))
      return this.fail("the status is not one space and three digits from 100 on")
    const control = findControl(text, after, end)
    if (control !== -1) return this.fail(controlProblem(text, control, "the status line"))
    this.minorVersion = minor
    this.status = hundreds * 100 + tens * 10 + ones
    this.reason = after === end ? "" : text.slice(after + 1, end)
    return false
  }

  /** Adds `name: value` to the fields (RFC 9112 section 5); gives the place of the colon, or -1 after a fault. */
  private takeField(text: string, start: number, end: number): number {
    let colon = start
    while (tokenBytes[text.charCodeAt(colon)] === 1) colon++
    if (colon === start || text.charCodeAt(colon) !== COLON) {
      this.fail(nameProblem(text, start, colon))
      return -1
    }
    let from = colon + 1
    let to = end
    while (from < to && (text.charCodeAt(from) === SPACE || text.charCodeAt(from) === HTAB)) from++
    while (to > from && (text.charCodeAt(to - 1) === SPACE || text.charCodeAt(to - 1) === HTAB)) to--
    const control = findControl(text, from, to)
    if (control !== -1) {
      this.fail(controlProblem(text, control, "the value of a field"))
      return -1
    }
    if (this.fields.length >= 2 * this.limits.maxFields) {
      this.fail("there are too many fields")
      return -1
    }
    this.fields.push(text.slice(start, colon), text.slice(from, to))
    return colon
  }

  /** Acts on the last field where it frames the message or speaks of the connection. Few names have these lengths. */
  private noteField(nameLength: number): void {
    if (nameLength !== 10 && nameLength !== 14 && nameLength !== 17) return
    const name = this.fields[this.fields.length - 2]?.toLowerCase()
    const value = this.fields[this.fields.length - 1]
    if (value === undefined) return
    if (name === "content-length") this.noteContentLength(value)
    else if (name === "transfer-encoding") this.noteTransferEncoding(value)
    else if (name === "connection") this.noteConnection(value)
    else if (name === "keep-alive") this.noteKeepAlive(value)
  }

  private noteContentLength(value: string): void {
    if (this.contentLength !== -1) {
      this.fail("Content-Length is there more than once")
      return
    }
    this.contentLength = parseLength(value)
    if (this.contentLength === -1) this.fail("Content-Length is not a decimal number, or too large")
  }

  private noteTransferEncoding(value: string): void {
    if (this.chunked) this.fail("Transfer-Encoding is there more than once")
    else if (value.toLowerCase() !== "chunked") this.fail("Transfer-Encoding is something else than chunked")
    else this.chunked = true
  }

  private noteConnection(value: string): void {
    if (value === "keep-alive") {
      this.keep = true
      return
    }
    for (const option of value.toLowerCase().split(",")) {
      const token = option.trim()
      if (token === "close") this.close = true
      else if (token === "keep-alive") this.keep = true
    }
  }

  /** A server says the same each time, so the last text read is remembered. */
  private noteKeepAlive(value: string): void {
    if (value !== this.keepAliveText) {
      this.keepAliveText = value
      this.keepAliveSeconds = parseKeepAliveTimeout(value)
    }
    this.timeout = this.keepAliveSeconds
  }

  /** Why the framing fields cannot be believed (RFC 9112 sections 6.1 to 6.3). */
  private framingProblem(): string | undefined {
    const isInterim = this.status < 200
    if (this.chunked) {
      if (this.contentLength !== -1) return "Content-Length and Transfer-Encoding are both there"
      if (this.minorVersion === 0) return "Transfer-Encoding is in an HTTP/1.0 response"
      if (isInterim || this.status === 204) return "Transfer-Encoding is in a response that can have no body"
    }
    if (isInterim && this.contentLength > 0) return "an interim response claims to have a body"
    if (isInterim && this.minorVersion === 0 && this.status !== 101) return "an interim response is in HTTP/1.0"
    return undefined
  }

  private endOfHead(bytes: Buffer, at: number): number {
    const { fields, minorVersion, reason, status } = this
    const head: ParsedHead = { status, reason, fields, minorVersion }
    const problem = this.framingProblem()
    if (problem !== undefined) {
      this.fail(problem)
      return bytes.length
    }
    if (status >= 200 || status === 101) return this.beginBody(bytes, at, head)
    this.informationals++
    if (this.informationals > this.limits.maxInformational) {
      this.fail("there are too many interim responses")
      return bytes.length
    }
    this.beginHead()
    this.handler.informational(head)
    return at
  }

  /** Chooses how the body ends (RFC 9112 section 6.3). */
  private beginBody(bytes: Buffer, at: number, head: ParsedHead): number {
    const handler = this.handler
    const { status } = head
    const isTunnel = status === 101 || (this.method === "CONNECT" && status < 300)
    const isBodiless = this.method === "HEAD" || status === 204 || status === 304
    this.sectionBytes = 0
    this.persistent = !isTunnel && !this.close && (head.minorVersion === 1 || this.keep)
    if (isTunnel || isBodiless || this.contentLength === 0) {
      if (status === 204 && this.contentLength > 0) this.persistent = false
      this.settle()
      if (at < bytes.length) this.takeSurplus(bytes, at)
      handler.head(head)
      handler.end(none)
      return bytes.length
    }
    if (this.chunked) {
      this.state = "chunk size"
    } else if (this.contentLength > 0) {
      this.state = "sized body"
      this.remaining = this.contentLength
    } else {
      this.state = "body to the end"
    }
    handler.head(head)
    return at
  }

  /** Hands over what belongs to the body, or to the chunk, and says where it ends. */
  private takeRemaining(bytes: Buffer, at: number): number {
    const available = bytes.length - at
    const size = available < this.remaining ? available : this.remaining
    this.remaining -= size
    this.handler.body(size === bytes.length ? bytes : bytes.subarray(at, at + size))
    return at + size
  }

  private takeSizedBody(bytes: Buffer, at: number): number {
    const next = this.takeRemaining(bytes, at)
    return this.remaining === 0 ? this.finishMessage(bytes, next, none) : next
  }

  private takeChunkData(bytes: Buffer, at: number): number {
    const next = this.takeRemaining(bytes, at)
    if (this.remaining === 0) this.state = "chunk end"
    return next
  }

  /** The CRLF after a chunk's data; it may come in two pieces. */
  private takeChunkEnd(bytes: Buffer, at: number): number {
    if (bytes[at] !== (this.sectionBytes === 0 ? CR : LF)) {
      this.fail("the data of a chunk is not followed by a line end")
    } else if (this.sectionBytes === 0) {
      this.sectionBytes = 1
    } else {
      this.sectionBytes = 0
      this.state = "chunk size"
    }
    return at + 1
  }

  /** `chunk-size [ chunk-ext ] CRLF` (RFC 9112 section 7.1). A bare number that lies whole in `bytes` needs no text. */
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
    if (this.sectionBytes > this.limits.maxChunkLine) this.fail("a chunk-size line is too long")
    else if (bytes[next - 1] === LF) this.takeChunkLine(this.takeLine())
    return next
  }

  private takeChunkLine(line: string): void {
    const end = line.length - 2
    let size = 0
    let stop = 0
    for (let digit = 0; stop < end; stop++) {
      digit = hexValues[line.charCodeAt(stop)] ?? 16
      if (digit === 16) break
      size = size * 16 + digit
    }
    if (line.charCodeAt(end) !== CR) this.fail("a chunk-size line ends without a carriage return")
    else if (stop === 0) this.fail("a chunk has no size in hexadecimal digits")
    else if (size > Number.MAX_SAFE_INTEGER) this.fail("the size of a chunk is too large")
    else if (!chunkExtensions.test(line.slice(stop, end))) this.fail("what follows the size of a chunk is no extension")
    else this.beginChunk(size)
  }

  private beginChunk(size: number): void {
    this.sectionBytes = 0
    this.remaining = size
    this.state = size === 0 ? "trailers" : "chunk data"
    // The head's own array belongs to whoever was given it.
    if (size === 0) this.fields = []
  }

  /** A line of the trailer section (RFC 9112 section 7.1.2), or the empty one that ends it and the message. */
  private takeTrailerLine(bytes: Buffer, at: number): number {
    if (this.sectionBytes === 0 && bytes[at] === CR && bytes[at + 1] === LF)
      return this.finishMessage(bytes, at + 2, none)
    const next = this.collectLine(bytes, at)
    if (this.sectionBytes > this.limits.maxTrailerBytes) {
      this.fail("the trailer section is too large")
    } else if (bytes[next - 1] === LF) {
      const text = this.takeLine()
      const end = text.length - 2
      if (text.charCodeAt(end) !== CR) this.fail("a line of the trailers ends without a carriage return")
      else if (end === 0) return this.finishMessage(bytes, next, this.fields)
      else if (this.takeField(text, 0, end) !== -1) this.checkTrailer()
    }
    return next
  }

  private checkTrailer(): void {
    const name = this.fields[this.fields.length - 2]?.toLowerCase()
    if (name === "content-length" || name === "transfer-encoding") this.fail("a framing field is among the trailers")
    else if (name !== undefined && notInTrailers.has(name)) this.fields.length -= 2
  }
}
