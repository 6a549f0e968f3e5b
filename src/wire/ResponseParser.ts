import {
  type BodyHandler,
  CR,
  controlProblem,
  findControl,
  LF,
  type MessageLimits,
  MessageParser,
  none,
  parseLength,
  type ParserFault,
  quoted,
  SPACE,
  withoutBlanks,
} from "./MessageParser.js"
import { detachedCopy } from "./DetachedCopy.js"
import { without } from "./HeaderFields.js"
import { type RepairName, repairs } from "./Repairs.js"

/** Status line and fields of a response (RFC 9112 sections 4 and 5). */
export interface ParsedHead {
  /** 100 to 999. */
  readonly status: number
  /** `""` if there is none. */
  readonly reason: string
  /** Raw pairs, flat (name, value, name, value): order, case and duplicates kept, latin1, no OWS around values. */
  readonly fields: Array<string>
  readonly minorVersion: 0 | 1
}

/** Receives the events of the parser, in this order: `informational`*, `head`, `body`*, `end`. Must not throw. */
export interface ResponseHandler extends BodyHandler {
  /** An interim response: 100 to 199 but not 101. */
  informational(head: ParsedHead): void
  /** The final response, or a 101. If no body follows, `isComplete` is already true and `surplus` is known. */
  head(head: ParsedHead): void
  /** Something was put right, at any time before the end; each such text once, and only the first few of a response. */
  repaired?(repair: string): void
}

/** Limits of a response. */
export interface ParserLimits extends MessageLimits {
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

const ZERO = 48
/** So many repairs of a response are told. */
const mostTold = 10
const versionPrefix = "HTTP/1."
const transferEncoding = "transfer-encoding"
const nobody: ResponseHandler = { informational: () => {}, head: () => {}, body: () => {}, end: () => {} }

/** Seconds of `Keep-Alive: timeout=5, max=100`; `undefined` if it has no timeout. */
const parseKeepAliveTimeout = (value: string): number | undefined => {
  for (const parameter of value.split(",")) {
    const text = parameter.trim()
    if (text.length < 9 || text.slice(0, 8).toLowerCase() !== "timeout=") continue
    const seconds = parseLength(text.slice(8))
    if (seconds !== -1) return seconds
  }
  return undefined
}

/** The number that a `Content-Length` says, once or again and again (RFC 9110 section 8.6); -1 if it says none. */
const repeatedNumber = (value: string): number => {
  const [first = -1, ...others] = value.split(",").map((member) => parseLength(withoutBlanks(member)))
  return others.every((other) => other === first) ? first : -1
}

/** The fields with only the first of this name, which is in lower case and is among them, with this value. */
const onlyFirst = (fields: ReadonlyArray<string>, name: string, value: string): Array<string> => {
  const at = fields.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name)
  return [...fields.slice(0, at + 1), value, ...without(fields.slice(at + 2), name)]
}

/** Whether a `Transfer-Encoding`, in small letters, names `chunked` and nothing else. */
const isOnlyChunked = (value: string): boolean => /^chunked(?:[ \t]*,[ \t]*chunked)*$/.test(value)

/**
 * Parses the responses of one HTTP/1.1 connection, as a client does (RFC 9112). It is strict like `MessageParser`, and
 * also in this:
 *
 * - Framing must be unambiguous (section 6.3). `Content-Length` is one number. `Transfer-Encoding` once, exactly
 *   `chunked`, not in HTTP/1.0. Never both. With neither, the body ends with the connection.
 * - 1xx, 204, 304 and responses to `HEAD` have no body, whatever their fields say. If these fields break the rules
 *   above, `Content-Length` is dropped. Then, and if a 1xx or 204 announces a body, the connection is not reused,
 *   because a body may follow.
 * - HTTP/1.0 has no interim responses (RFC 9110 section 15.2). `Connection: close` in one applies to the final
 *   response.
 * - A 101, and a 2xx to `CONNECT`, end the message at once; `surplus` has the first bytes of the tunnel.
 * - The space before an empty reason may be missing (`HTTP/1.1 200`), because many servers omit it.
 *
 * What old servers do otherwise, and can be read in one way, is repaired (`Repairs.ts`): some of it always, the rest only
 * where the session's server is taken leniently. Such a connection is not reused.
 */
export class ResponseParser extends MessageParser {
  protected readonly prefixLength = versionPrefix.length
  protected readonly startProblem = "the response does not begin with HTTP/1.0 or HTTP/1.1"
  private readonly maxInformational: number
  private handler: ResponseHandler = nobody
  private method = ""
  private extra: Buffer | undefined
  private isLenient = false
  /** What was told of repairs; `undefined` while there were none. */
  private told: Set<string> | undefined

  private status = 0
  private reason = ""
  private minorVersion: 0 | 1 = 1
  private length = -1
  private chunked = false
  private isMisframed = false
  private isLengthRepeated = false
  private hasIdentity = false
  private hasEmptyLine = false
  private close = false
  private keep = false
  private timeout: number | undefined
  private informationals = 0
  private persistent = false

  private keepAliveText = ""
  private keepAliveSeconds: number | undefined

  constructor(limits: Partial<ParserLimits> = {}) {
    const all = { ...defaultParserLimits, ...limits }
    super("response", all)
    this.maxInformational = all.maxInformational
  }

  /**
   * Prepares for the response to a request with this method. Call it before its bytes can come. `lenient`: more is repaired
   * than of any server.
   */
  reset(method: string, handler: ResponseHandler, lenient = false): void {
    this.method = method
    this.handler = handler
    this.isLenient = lenient
    this.told = undefined
    this.hasEmptyLine = false
    this.extra = undefined
    this.informationals = 0
    this.close = false
    this.persistent = false
    this.begin(handler)
  }

  /** Parses bytes. After a fault they are ignored; after the end of the message they are `surplus`. */
  execute(bytes: Buffer): void {
    this.count(bytes.length)
    const end = this.run(bytes, 0)
    if (this.fault === undefined && end < bytes.length) this.takeSurplus(bytes, end)
  }

  override finish(): void {
    this.persistent = false
    super.finish()
  }

  /** The `Content-Length` of the last head, or -1 if it has none. */
  get contentLength(): number {
    return this.length
  }

  /** Whether the body ends with the connection. */
  get endsWithConnection(): boolean {
    return this.state === "body to the end"
  }

  /** No message is under way, and no surplus came. */
  get isIdle(): boolean {
    return (this.state === "idle" || this.state === "complete") && this.extra === undefined
  }

  /**
   * The message is complete and the connection may carry another request (RFC 9112 section 9.3): it is persistent, the
   * peer has not closed it, and no surplus came.
   */
  get keepAlive(): boolean {
    return this.persistent && this.isComplete && this.extra === undefined
  }

  /** Seconds that the server keeps an idle connection, from `Keep-Alive: timeout=…` of the last head. */
  get keepAliveTimeout(): number | undefined {
    return this.timeout
  }

  /**
   * A copy of the bytes after the end of the message: after a 101 those of the tunnel, else a violation of the
   * protocol.
   */
  get surplus(): Buffer | undefined {
    return this.extra
  }

  protected override fail(problem: string, kind: ParserFault["kind"] = "protocol", place?: string): false {
    this.handler = nobody
    return super.fail(problem, kind, place)
  }

  protected override mend(name: RepairName, place?: string): boolean {
    const { done, keepsConnection, leniently } = repairs[name]
    if (leniently && !this.isLenient) return false
    if (!keepsConnection) {
      this.close = true
      this.persistent = false
    }
    const text = place === undefined ? done : `${done}: ${place}`
    const told = (this.told ??= new Set())
    if (told.size >= mostTold || told.has(text)) return true
    told.add(text)
    this.handler.repaired?.(text)
    return true
  }

  protected override settle(): void {
    this.handler = nobody
    super.settle()
  }

  protected override beginHead(): void {
    this.status = 0
    this.length = -1
    this.chunked = false
    this.isMisframed = false
    this.isLengthRepeated = false
    this.hasIdentity = false
    this.keep = false
    this.timeout = undefined
    super.beginHead()
  }

  protected override mayBeStartLine(text: string, start: number): boolean {
    if (text.startsWith(versionPrefix, start)) return true
    if (text.charCodeAt(start) === CR)
      return !this.hasEmptyLine && (text.length === start + 1 || text.charCodeAt(start + 1) === LF)
    return text.length - start < versionPrefix.length && versionPrefix.startsWith(text.slice(start))
  }

  /** `HTTP/1.1 200 OK` (RFC 9112 section 4). */
  protected override takeStartLine(text: string, start: number, end: number): boolean {
    if (start === end) {
      this.hasEmptyLine = true
      this.mend("emptyLine")
      return false
    }
    const minor = text.charCodeAt(start + 7) - ZERO
    if (minor !== 0 && minor !== 1) return this.fail(this.startProblem, "protocol", quoted(text.slice(start, end)))
    const hundreds = text.charCodeAt(start + 9) - ZERO
    const tens = text.charCodeAt(start + 10) - ZERO
    const ones = text.charCodeAt(start + 11) - ZERO
    const areDigits = hundreds > 0 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9
    const after = start + 12
    if (text.charCodeAt(start + 8) !== SPACE || !areDigits || (after !== end && text.charCodeAt(after) !== SPACE))
      return this.fail(
        "the status is not one space and three digits from 100 on",
        "protocol",
        quoted(text.slice(start, end)),
      )
    const control = findControl(text, after, end)
    if (control !== -1)
      return this.fail(controlProblem(text, control, "the status line"), "protocol", quoted(text.slice(start, end)))
    this.minorVersion = minor
    this.status = hundreds * 100 + tens * 10 + ones
    this.reason = after === end ? "" : text.slice(after + 1, end)
    return true
  }

  /** Reads the last field if it frames the message or concerns the connection. Few other names have these lengths. */
  protected override noteField(nameLength: number): void {
    if (nameLength !== 10 && nameLength !== 14 && nameLength !== 17) return
    const name = this.fields[this.fields.length - 2]?.toLowerCase()
    const value = this.fields[this.fields.length - 1]
    if (value === undefined) return
    if (name === "content-length") this.noteContentLength(value)
    else if (name === transferEncoding) this.noteTransferEncoding(value)
    else if (name === "connection") this.noteConnection(value)
    else if (name === "keep-alive") this.noteKeepAlive(value)
  }

  private noteContentLength(value: string): void {
    const length = parseLength(value)
    if (length !== -1 && this.length === -1) this.length = length
    else this.noteRepeatedLength(value)
  }

  private noteRepeatedLength(value: string): void {
    const length = repeatedNumber(value)
    if (length === -1) return this.misframe("Content-Length is not a decimal number, or too large", this.placeOfLast)
    if (this.length !== -1 && this.length !== length)
      return this.misframe("Content-Length is there more than once, with different values", this.placeOfLast)
    this.length = length
    this.isLengthRepeated = true
  }

  private noteTransferEncoding(value: string): void {
    const coding = value.toLowerCase()
    if (coding === "chunked" && !this.chunked) this.chunked = true
    else this.noteOtherCoding(coding)
  }

  private noteOtherCoding(coding: string): void {
    if (coding === "identity" && !this.hasIdentity) this.hasIdentity = true
    else if (isOnlyChunked(coding) && this.mend("chunkedTwice", this.placeOfLast)) this.chunked = true
    else if (coding === "chunked") this.misframe("Transfer-Encoding is there more than once", this.placeOfLast)
    else this.misframe("Transfer-Encoding is something else than chunked", this.placeOfLast)
  }

  /** Whether the response has no body, whatever its fields say (RFC 9112 section 6.3, rule 1). */
  private get isBodiless(): boolean {
    const { status } = this
    return status < 200 || status === 204 || status === 304 || this.method === "HEAD"
  }

  /** The framing fields are invalid. That is a fault, unless the response has no body. */
  private misframe(problem: string, place?: string): void {
    if (this.isBodiless) this.isMisframed = true
    else this.fail(problem, "protocol", place)
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

  /** A server sends the same value each time, so the last one is cached. */
  private noteKeepAlive(value: string): void {
    if (value !== this.keepAliveText) {
      this.keepAliveText = detachedCopy(value)
      this.keepAliveSeconds = parseKeepAliveTimeout(value)
    }
    this.timeout = this.keepAliveSeconds
  }

  /** Checks the framing fields together (RFC 9112 sections 6.1 to 6.3). */
  private checkFraming(): void {
    const { chunked, length, minorVersion, status } = this
    if (this.hasIdentity && (chunked || length === -1))
      this.misframe("Transfer-Encoding is something else than chunked", this.placeOfField(transferEncoding))
    else if (chunked && minorVersion === 0)
      this.misframe("Transfer-Encoding is in an HTTP/1.0 response", this.placeOfField(transferEncoding))
    else if (chunked && length !== -1) this.checkBoth()
    if (status < 200 && status !== 101 && minorVersion === 0) this.fail("an interim response is in HTTP/1.0")
  }

  /** Chunks win: whoever counts them knows where the body ends (RFC 9112 section 6.3, rule 3). */
  private checkBoth(): void {
    if (this.isBodiless || !this.mend("bothFramings"))
      return this.misframe("Content-Length and Transfer-Encoding are both there", this.placeOfField(transferEncoding))
    this.dropLength()
  }

  /** Makes the framing fields say what is done. */
  private settleFraming(): void {
    if (this.isMisframed) {
      this.mend("misframedHead")
      this.dropLength()
    } else if (this.isLengthRepeated && this.length !== -1) {
      this.mend("repeatedLength")
      this.fields = onlyFirst(this.fields, "content-length", String(this.length))
    }
    if (this.hasIdentity && !this.isMisframed) {
      this.mend("identity")
      this.fields = without(this.fields, transferEncoding)
    }
  }

  private dropLength(): void {
    this.length = -1
    this.fields = without(this.fields, "content-length")
  }

  protected override endOfHead(bytes: Buffer, at: number): number {
    this.checkFraming()
    if (this.fault !== undefined) return bytes.length
    if (this.isMisframed || this.isLengthRepeated || this.hasIdentity) this.settleFraming()
    const { fields, minorVersion, reason, status } = this
    // A 1xx or 204 may announce a body (RFC 9110 section 8.6), and it may follow nevertheless.
    if ((status < 200 || status === 204) && (this.chunked || this.length !== -1))
      this.mend(this.chunked || this.length > 0 ? "announcedContent" : "needlessLength")
    const head: ParsedHead = { status, reason, fields, minorVersion }
    if (status >= 200 || status === 101) return this.beginBody(bytes, at, head)
    this.informationals++
    if (this.informationals > this.maxInformational) {
      this.fail("there are too many interim responses")
      return bytes.length
    }
    this.beginHead()
    this.handler.informational(head)
    return at
  }

  /** Stores the surplus before the handler is called. */
  protected override endOfMessage(bytes: Buffer, at: number): number {
    if (at < bytes.length) this.takeSurplus(bytes, at)
    return bytes.length
  }

  /** Chooses how the body ends (RFC 9112 section 6.3). */
  private beginBody(bytes: Buffer, at: number, head: ParsedHead): number {
    const { handler } = this
    const { status } = head
    const isTunnel = status === 101 || (this.method === "CONNECT" && status < 300)
    this.persistent = !isTunnel && !this.close && (head.minorVersion === 1 || this.keep)
    if (isTunnel || this.isBodiless || this.length === 0) {
      this.settle()
      const next = this.endOfMessage(bytes, at)
      handler.head(head)
      handler.end(none)
      return next
    }
    if (this.chunked) this.beginChunkedBody()
    else if (this.length > 0) this.beginSizedBody(this.length)
    else this.state = "body to the end"
    handler.head(head)
    return at
  }

  private takeSurplus(bytes: Buffer, at: number): void {
    const rest = bytes.subarray(at)
    this.extra = Buffer.concat(this.extra === undefined ? [rest] : [this.extra, rest])
  }
}
