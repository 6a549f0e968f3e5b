import {
  type BodyHandler,
  findControl,
  MessageParser,
  type MessageLimits,
  tokenBytes,
  CR,
  SPACE,
} from "./MessageParser.js"
import { type RequestFraming, requestFraming } from "./RequestFraming.js"

/** Request line and fields of a request (RFC 9112 sections 3 and 5), and what they say about its content. */
export interface ParsedRequest {
  /** A token: any method, known or not. */
  readonly method: string
  /** As it was sent, latin1. */
  readonly target: string
  readonly httpVersion: "1.0" | "1.1"
  /** Raw pairs, flat (name, value, name, value): order, case and duplicates kept, latin1, no OWS around values. */
  readonly fields: ReadonlyArray<string>
  readonly framing: RequestFraming
}

/** What a request may cost where the listener does not say: its fields are bounded by the bytes of its head. */
const defaultLimits: MessageLimits = {
  maxHeadBytes: 32_768,
  maxFields: Number.POSITIVE_INFINITY,
  maxChunkLine: 4096,
  maxTrailerBytes: 16_384,
}

/** The version stands at the end of the request line: ` HTTP/1.1`. */
const versionSize = 9
const versionText = " HTTP/1."
const ZERO = 48

/** Where the first byte stands that may not be in a target, or -1. Bytes beyond ASCII pass: they are the server's to judge. */
const findForbidden = (text: string, start: number, end: number): number => {
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === 9) return at
  return findControl(text, start, end)
}

/**
 * Reads the requests of one HTTP/1.1 connection, as a server does (RFC 9112), one after another: it stops behind a head
 * and behind a request, so that whoever reads decides when to go on. Strict as `MessageParser` is, and in this:
 *
 * - The request line is a method, a target and a version with one space between them. HTTP/1.0 and HTTP/1.1 only.
 * - Empty lines before it are passed over (section 2.2); they count towards the limit of the head.
 * - A head that frames its content in two ways is read, so that it can be answered, and nothing behind it.
 */
export class RequestParser extends MessageParser {
  protected readonly knownBy = 1
  protected readonly startProblem = "the request does not begin with a method"
  private method = ""
  private target = ""
  private httpVersion: ParsedRequest["httpVersion"] = "1.1"
  private request: ParsedRequest | undefined

  constructor(limits: Partial<MessageLimits> = {}) {
    super("request", { ...defaultLimits, ...limits })
    this.next()
  }

  /** Gets ready for the next request. */
  next(): void {
    this.request = undefined
    this.begin(noReceiver)
  }

  /** The head of the current request, once it is complete. */
  get head(): ParsedRequest | undefined {
    return this.request
  }

  /** From here on the content of the request is read; it goes to `receiver`. To be called where the framing names some. */
  readContent(receiver: BodyHandler): void {
    const content = this.request?.framing.content
    this.receiver = receiver
    if (content === "chunked") this.beginChunkedBody()
    else if (typeof content === "number") this.beginSizedBody(content)
  }

  /** Takes bytes up to the end of a head, of a request, or of what there is. Returns how many. */
  execute(bytes: Buffer): number {
    const taken = this.run(bytes, 0)
    this.count(taken)
    return taken
  }

  protected override mayBeStartLine(text: string, start: number): boolean {
    const first = text.charCodeAt(start)
    return tokenBytes[first] === 1 || first === CR
  }

  /** `GET /path HTTP/1.1` (RFC 9112 section 3). */
  protected override takeStartLine(text: string, start: number, end: number): boolean {
    if (start === end) return false
    let space = start
    while (tokenBytes[text.charCodeAt(space)] === 1) space++
    if (space === start || text.charCodeAt(space) !== SPACE) return this.fail("the method is not a token and a space")
    const version = end - versionSize
    if (version <= space || !text.startsWith(versionText, version))
      return this.fail("the request line does not end with a space and HTTP/1.0 or HTTP/1.1")
    const minor = text.charCodeAt(end - 1) - ZERO
    if (minor !== 0 && minor !== 1) return this.fail("only HTTP/1.0 and HTTP/1.1 are spoken here")
    if (version === space + 1 || findForbidden(text, space + 1, version) !== -1)
      return this.fail("the target is empty, or holds a space or a control byte")
    this.method = text.slice(start, space)
    this.target = text.slice(space + 1, version)
    this.httpVersion = minor === 1 ? "1.1" : "1.0"
    return true
  }

  /** Framing is read when the head is complete. */
  protected override noteField(): void {}

  protected override endOfHead(_bytes: Buffer, at: number): number {
    const { fields, httpVersion, method, target } = this
    const framing = requestFraming(fields, httpVersion)
    this.request = { method, target, httpVersion, fields, framing }
    const { content, problem } = framing
    if (problem === undefined && (content === "none" || content === 0)) this.settle()
    else this.state = "idle"
    return at
  }

  protected override endOfMessage(_bytes: Buffer, at: number): number {
    return at
  }
}

const noReceiver: BodyHandler = { body: () => {}, end: () => {} }
