import { type BodyHandler, DELETE, MessageParser, type MessageLimits, tokenBytes, CR, SPACE } from "./MessageParser.js"
import { type RequestFraming, requestFraming } from "./RequestFraming.js"

/** Request line and fields of a request (RFC 9112 sections 3 and 5), and its framing. */
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

/** Limits for listeners that set none. The number of fields is limited by the size of the head only. */
const defaultLimits: MessageLimits = {
  maxHeadBytes: 32_768,
  maxFields: Number.POSITIVE_INFINITY,
  maxChunkLine: 4096,
  maxTrailerBytes: 16_384,
}

/** Length of ` HTTP/1.1`, with which the request line ends. */
const versionSize = 9
const versionText = " HTTP/1."
const ZERO = 48

/**
 * The index of the first byte that a target may not contain, or -1. Bytes beyond ASCII pass; the server decides about
 * them.
 */
const findForbidden = (text: string, start: number, end: number): number => {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code <= SPACE || code === DELETE) return at
  }
  return -1
}

/**
 * Parses the requests of one HTTP/1.1 connection, as a server does (RFC 9112). It stops after each head and after each
 * request, and the caller decides when it continues. It is strict like `MessageParser`, and also in this:
 *
 * - The request line is a method, a target and a version with one space between them. HTTP/1.0 and HTTP/1.1 only.
 * - Empty lines before it are ignored (section 2.2); they count towards the size of the head.
 * - A head with invalid framing is parsed, so that it can be answered, but nothing after it.
 */
export class RequestParser extends MessageParser {
  protected readonly prefixLength = 1
  protected readonly startProblem = "the request does not begin with a method"
  private method = ""
  private target = ""
  private httpVersion: ParsedRequest["httpVersion"] = "1.1"
  private request: ParsedRequest | undefined

  constructor(limits: Partial<MessageLimits> = {}) {
    super("request", { ...defaultLimits, ...limits })
    this.next()
  }

  /** Prepares for the next request. */
  next(): void {
    this.request = undefined
    this.begin(noReceiver)
  }

  /** The head of the current request; `undefined` until it is complete. */
  get head(): ParsedRequest | undefined {
    return this.request
  }

  /** From now on parses content for `receiver`. Call it only if the framing announces content. */
  readContent(receiver: BodyHandler): void {
    const content = this.request?.framing.content
    this.receiver = receiver
    if (content === "chunked") this.beginChunkedBody()
    else if (typeof content === "number") this.beginSizedBody(content)
  }

  /** Parses up to the end of a head, of a request, or of the bytes. Returns the number of bytes parsed. */
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
    const tokens = tokenBytes
    let space = start
    while (tokens[text.charCodeAt(space)] === 1) space++
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

  /** `requestFraming` reads all fields when the head is complete. */
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
