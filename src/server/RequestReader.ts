import type { SocketInput } from "../socket/SocketInput.js"
import type { BodyHandler, ParserFault } from "../wire/MessageParser.js"
import { type ParsedRequest, RequestParser } from "../wire/RequestParser.js"

/** Who takes the requests of a connection. */
export interface RequestListener {
  /** The head of a request is complete. Nothing behind it is read before `readContent` or `next`. */
  readonly requestRead: (request: ParsedRequest) => void
  /** The request or its content is invalid. Nothing more is read. */
  readonly requestBroken: (fault: ParserFault) => void
}

const nobody: BodyHandler = { body: () => {}, end: () => {} }

/** Up to so many bytes, what comes in small pieces is put together: each piece would cost many times its bytes. */
const smallPiece = 4_096

/**
 * Reads the requests of a connection one at a time, in order, and holds what comes behind the one that is not answered
 * yet: pipelined requests, or the first bytes of a WebSocket.
 */
export class RequestReader {
  private readonly parser: RequestParser
  private pieces: Array<Buffer> = []
  private size = 0
  private isReading = false
  private isStopped = false
  private isPaused = false
  /** Whether the listener knows of the current head. */
  private isTold = false

  /** `maxHeadBytes`: of one request, target included. */
  constructor(
    maxHeadBytes: number,
    private readonly input: Pick<SocketInput, "stable" | "keep">,
    private readonly listener: RequestListener,
  ) {
    this.parser = new RequestParser({ maxHeadBytes })
  }

  /** Whether the beginning of a head has come, and not its end. */
  get isInHead(): boolean {
    return this.parser.isInHead
  }

  /** Bytes that have come and were not read yet. */
  get heldBytes(): number {
    return this.size
  }

  /** Takes what has arrived, and keeps what is not read yet. */
  push(bytes: Buffer): void {
    if (this.isStopped) return
    this.hold(bytes)
    this.read()
    const last = this.pieces.length - 1
    // To look beside an array is slow, and so is `buffer`.
    if (last < 0) return
    const rest = this.pieces[last]
    if (rest?.buffer !== bytes.buffer) return
    const stable = this.input.stable(rest)
    this.input.keep(stable)
    this.pieces[last] = stable
  }

  /** Lets the content of the request come; what has arrived of it at once. */
  readContent(receiver: BodyHandler): void {
    this.isPaused = false
    this.parser.readContent(receiver)
    this.read()
  }

  /** Lets no more of the content come; a piece that is being read may still do so. */
  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.read()
  }

  /** Throws away what has arrived of content that nobody has asked for. Whether that was all of it. */
  skipContent(): boolean {
    this.parser.readContent(nobody)
    while (this.parseMore() > 0);
    return this.parser.isComplete
  }

  /** The request is answered: goes on with the next one, which may have arrived. */
  next(): void {
    this.isPaused = false
    this.isTold = false
    this.parser.next()
    this.read()
  }

  /**
   * Reads no more: the listener is told nothing from here on. Returns what has come and was not read; from within a call
   * that brings content, all of the piece that this content is in.
   */
  stop(): Buffer {
    this.isStopped = true
    const held = Buffer.concat(this.pieces)
    this.pieces = []
    this.size = 0
    return held
  }

  private hold(bytes: Buffer): void {
    this.size += bytes.byteLength
    const end = this.pieces.length
    const last = end === 0 ? undefined : this.pieces[end - 1]
    if (last === undefined || last.byteLength + bytes.byteLength > smallPiece) this.pieces.push(bytes)
    else this.pieces[end - 1] = Buffer.concat([last, bytes])
  }

  /** Parses what is held, for as long as there is somebody to take it. Re-entrant calls return; this loop continues. */
  private read(): void {
    if (this.isReading) return
    this.isReading = true
    while (!this.isPaused && !this.isStopped) {
      const taken = this.parseMore()
      const { fault, head } = this.parser
      if (this.isStopped) break
      if (fault !== undefined) {
        this.isStopped = true
        this.listener.requestBroken(fault)
      } else if (head !== undefined && !this.isTold) {
        this.isTold = true
        this.listener.requestRead(head)
      } else if (taken === 0) {
        break
      }
    }
    this.isReading = false
  }

  /** Parses a piece of what is held. Returns how much of it the parser has taken; 0 where it does not want any. */
  private parseMore(): number {
    const [piece] = this.pieces
    if (piece === undefined) return 0
    const taken = this.parser.execute(piece)
    // Whoever was told of content may have stopped the reader: then nothing is held any more.
    if (this.isStopped) return 0
    this.size -= taken
    if (taken === piece.byteLength) this.pieces.shift()
    else if (taken > 0) this.pieces[0] = piece.subarray(taken)
    return taken
  }
}
