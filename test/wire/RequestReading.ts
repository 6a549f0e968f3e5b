import type { MessageLimits } from "../../src/wire/MessageParser.js"
import { type ParsedRequest, RequestParser } from "../../src/wire/RequestParser.js"

/** A request as the parser told it, with body pieces joined. */
export interface SeenRequest {
  readonly head: ParsedRequest
  body: string
  /** `undefined` while the request is not complete. */
  trailers: ReadonlyArray<string> | undefined
}

/** What a reader made of bytes. */
export interface RequestReading {
  readonly parser: RequestParser
  readonly requests: ReadonlyArray<SeenRequest>
  /** Bytes that the parser did not take. */
  readonly unread: string
}

export interface ReadOptions {
  readonly limits?: Partial<MessageLimits>
  /** Whether the peer closes after the bytes. */
  readonly fin?: boolean
}

export const latin1 = (text: string): Buffer => Buffer.from(text, "latin1")

const hasContent = ({ framing: { content } }: ParsedRequest): boolean => content !== "none" && content !== 0

/** Reads one request after another from the pieces, as `RequestReader` does, and all the content of each. */
export const readRequests = (pieces: ReadonlyArray<Buffer>, options: ReadOptions = {}): RequestReading => {
  const parser = new RequestParser(options.limits)
  const requests: Array<SeenRequest> = []
  let current: SeenRequest | undefined
  let unread = ""

  const begin = (head: ParsedRequest): void => {
    const seen: SeenRequest = { head, body: "", trailers: hasContent(head) ? undefined : [] }
    current = seen
    requests.push(seen)
    if (!hasContent(head)) return
    parser.readContent({
      body: (chunk) => {
        if (seen.trailers !== undefined || chunk.length === 0) throw new Error("a body piece out of place")
        seen.body += chunk.toString("latin1")
      },
      end: (trailers) => {
        if (seen.trailers !== undefined) throw new Error("a second end")
        seen.trailers = trailers
      },
    })
  }

  /** Reads until the parser wants no more of what there is; gives how much it took. */
  const take = (bytes: Buffer): number => {
    let at = 0
    for (;;) {
      const taken = parser.execute(bytes.subarray(at))
      at += taken
      const { fault, head } = parser
      if (fault !== undefined) return at
      if (head !== undefined && current === undefined) {
        begin(head)
      } else if (parser.isComplete) {
        parser.next()
        current = undefined
      } else if (taken === 0) {
        return at
      }
    }
  }

  for (const piece of pieces) {
    // It must not look at these bytes again: they are overwritten.
    const lent = Buffer.from(piece)
    unread += piece.toString("latin1", take(lent))
    lent.fill(0x21)
  }
  if (options.fin === true) parser.finish()
  return { parser, requests, unread }
}

/** Each byte as a piece of its own. */
export const byteByByte = (bytes: Buffer): Array<Buffer> => Array.from(bytes, (byte) => Buffer.from([byte]))

/** The bytes in pieces, cut at these places. */
export const cutAt = (bytes: Buffer, places: ReadonlyArray<number>): Array<Buffer> => {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  const pieces: Array<Buffer> = []
  let from = 0
  for (const place of [...sorted, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place))
    from = place
  }
  return pieces
}
