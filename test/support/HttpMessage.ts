/** A field as it stood on the wire, latin1. */
export type FieldPair = readonly [name: string, value: string]

/** How the end of a body is told (RFC 9112 section 6.3). */
export type Framing = "none" | "length" | "chunked" | "close"

/** Bytes that are not HTTP/1.1 to a strict reader. */
export class MalformedMessage extends Error {
  constructor(problem: string, bytes: Buffer) {
    super(`${problem} in ${JSON.stringify(bytes.toString("latin1"))}`)
  }
}

/** A request or a response, read from raw bytes by a reader that forgives nothing. */
export class HttpMessage {
  constructor(
    readonly startLine: string,
    readonly fields: ReadonlyArray<FieldPair>,
    readonly framing: Framing,
    readonly body: Buffer,
    readonly trailers: ReadonlyArray<FieldPair>,
    /** Interim responses that came before this one. */
    readonly interim: ReadonlyArray<HttpMessage> = [],
  ) {}

  /** Status code of a response. */
  get status(): number {
    return Number(this.startLine.split(" ")[1])
  }

  /** Request target. */
  get target(): string {
    return this.startLine.slice(this.startLine.indexOf(" ") + 1, this.startLine.lastIndexOf(" "))
  }

  /** The body as latin1. */
  get text(): string {
    return this.body.toString("latin1")
  }

  /** The body as JSON. */
  get json(): unknown {
    return JSON.parse(this.body.toString("utf8"))
  }

  /** Every value of the fields with this name, whatever its case, in order. */
  values(name: string): ReadonlyArray<string> {
    return this.fields.filter(([other]) => other.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  }

  /** The value of the only field of this name; `undefined` for none. */
  value(name: string): string | undefined {
    const values = this.values(name)
    if (values.length > 1) throw new Error(`${name} stands ${values.length} times: ${values.join(" | ")}`)
    return values[0]
  }

  /** Names as they were spelled, in order. */
  get names(): ReadonlyArray<string> {
    return this.fields.map(([name]) => name)
  }
}

interface Head {
  readonly startLine: string
  readonly fields: ReadonlyArray<FieldPair>
  /** Index of the first byte after it. */
  readonly end: number
}

interface Body {
  readonly framing: Framing
  readonly body: Buffer
  readonly trailers: ReadonlyArray<FieldPair>
  readonly end: number
}

/** A message, and where in the bytes it ends. */
export interface ReadMessage {
  readonly message: HttpMessage
  readonly end: number
}

const fieldLine = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/
const requestLine = /^[!#$%&'*+.^_`|~\w-]+ [^\0-\x20]+ HTTP\/1\.[01]$/
const statusLine = /^HTTP\/1\.[01] [1-9]\d\d(?: [^\0\r\n]*)?$/

const readFields = (lines: ReadonlyArray<string>, bytes: Buffer): ReadonlyArray<FieldPair> =>
  lines.map((line) => {
    const [, name, value] = fieldLine.exec(line) ?? []
    if (name === undefined || value === undefined)
      throw new MalformedMessage(`field line ${JSON.stringify(line)}`, bytes)
    return [name, value]
  })

const readHead = (bytes: Buffer, from: number, startLinePattern: RegExp): Head | undefined => {
  const end = bytes.indexOf("\r\n\r\n", from, "latin1")
  if (end === -1) return undefined
  const [startLine = "", ...lines] = bytes.toString("latin1", from, end).split("\r\n")
  if (!startLinePattern.test(startLine)) throw new MalformedMessage("start line", bytes.subarray(from))
  return { startLine, fields: readFields(lines, bytes.subarray(from)), end: end + 4 }
}

const readChunked = (bytes: Buffer, from: number): Body | undefined => {
  const pieces: Array<Buffer> = []
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf("\r\n", at, "latin1")
    if (lineEnd === -1) return undefined
    const line = bytes.toString("latin1", at, lineEnd)
    if (!/^[0-9A-Fa-f]+(?:;[^\0\r\n]*)?$/.test(line)) throw new MalformedMessage("chunk size", bytes.subarray(at))
    const size = Number.parseInt(line, 16)
    const start = lineEnd + 2
    if (size === 0) return readTrailers(bytes, start, Buffer.concat(pieces))
    if (bytes.length < start + size + 2) return undefined
    if (bytes.toString("latin1", start + size, start + size + 2) !== "\r\n")
      throw new MalformedMessage("end of chunk", bytes.subarray(at))
    pieces.push(bytes.subarray(start, start + size))
    at = start + size + 2
  }
}

const readTrailers = (bytes: Buffer, from: number, body: Buffer): Body | undefined => {
  if (bytes.toString("latin1", from, from + 2) === "\r\n")
    return { framing: "chunked", body, trailers: [], end: from + 2 }
  const end = bytes.indexOf("\r\n\r\n", from, "latin1")
  if (end === -1) return undefined
  const trailers = readFields(bytes.toString("latin1", from, end).split("\r\n"), bytes.subarray(from))
  return { framing: "chunked", body, trailers, end: end + 4 }
}

const valuesOf = (head: Head, name: string): ReadonlyArray<string> =>
  head.fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value)

/** The body that the framing fields announce; `unframed` tells what it means that there are none. */
const readBody = (bytes: Buffer, head: Head, unframed: () => Body | undefined): Body | undefined => {
  const lengths = valuesOf(head, "content-length")
  const codings = valuesOf(head, "transfer-encoding")
  if (lengths.length + codings.length > 1) throw new MalformedMessage("more than one framing field", bytes)
  const [length] = lengths
  const [coding] = codings
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked") throw new MalformedMessage("transfer coding", bytes)
    return readChunked(bytes, head.end)
  }
  if (length === undefined) return unframed()
  if (!/^\d+$/.test(length)) throw new MalformedMessage("content length", bytes)
  const end = head.end + Number(length)
  if (bytes.length < end) return undefined
  return { framing: "length", body: bytes.subarray(head.end, end), trailers: [], end }
}

const empty = Buffer.alloc(0)

const toMessage = (head: Head, body: Body, interim: ReadonlyArray<HttpMessage> = []): ReadMessage => ({
  message: new HttpMessage(head.startLine, head.fields, body.framing, body.body, body.trailers, interim),
  end: body.end,
})

const withoutBody = (head: Head): Body => ({ framing: "none", body: empty, trailers: [], end: head.end })

/** The head of the request that begins at `from`, as a message without body; `undefined`: it is not all there. */
export const readRequestHead = (bytes: Buffer, from: number): ReadMessage | undefined => {
  const head = readHead(bytes, from, requestLine)
  return head === undefined ? undefined : toMessage(head, withoutBody(head))
}

/** The request that begins at `from`; `undefined`: it is not all there. Throws `MalformedMessage`. */
export const readRequest = (bytes: Buffer, from: number): ReadMessage | undefined => {
  const head = readHead(bytes, from, requestLine)
  if (head === undefined) return undefined
  const body = readBody(bytes, head, () => withoutBody(head))
  return body === undefined ? undefined : toMessage(head, body)
}

/**
 * The final response to a request with this method, that begins at `from`, with the interim ones before it. `ended`: no
 * more bytes will come. `undefined`: it is not all there. Throws `MalformedMessage`.
 */
export const readResponse = (bytes: Buffer, from: number, method: string, ended: boolean): ReadMessage | undefined => {
  const interim: Array<HttpMessage> = []
  let head = readHead(bytes, from, statusLine)
  while (head !== undefined && / 1(?!01)\d\d/.test(head.startLine)) {
    interim.push(toMessage(head, withoutBody(head)).message)
    head = readHead(bytes, head.end, statusLine)
  }
  if (head === undefined) return undefined
  const hasNoBody = method === "HEAD" || / (?:101|204|304)/.test(head.startLine)
  if (hasNoBody) return toMessage(head, withoutBody(head), interim)
  const { end } = head
  const untilClose = (): Body | undefined =>
    ended ? { framing: "close", body: bytes.subarray(end), trailers: [], end: bytes.length } : undefined
  const body = readBody(bytes, head, untilClose)
  return body === undefined ? undefined : toMessage(head, body, interim)
}

/** The head of the response that begins at `from`, interim or final; `undefined`: it is not all there. */
export const readResponseHead = (bytes: Buffer, from: number): ReadMessage | undefined => {
  const head = readHead(bytes, from, statusLine)
  return head === undefined ? undefined : toMessage(head, withoutBody(head))
}

/** How two readers understand the same bytes. They must agree, or a request can hide in another one's body. */
export interface SplitRequests {
  /** Whole requests, by strict framing. */
  readonly strict: ReadonlyArray<HttpMessage>
  /** Lines that look like a request line, wherever they stand, bodies included. */
  readonly naive: number
  /** Bytes after the last whole request. */
  readonly rest: string
}

/** Takes a connection's bytes apart, as a strict and as a naive server would. Throws `MalformedMessage`. */
export const splitRequests = (bytes: Buffer): SplitRequests => {
  const strict: Array<HttpMessage> = []
  let at = 0
  for (let read = readRequest(bytes, at); read !== undefined; read = readRequest(bytes, at)) {
    strict.push(read.message)
    at = read.end
  }
  const naive = bytes.toString("latin1").match(/(?:^|[\r\n])[!#$%&'*+.^_`|~\w-]+ \S+ HTTP\/\d/g)?.length ?? 0
  return { strict, naive, rest: bytes.toString("latin1", at) }
}
