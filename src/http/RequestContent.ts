import type { IncomingMessage } from "node:http"
import { RequestBroken } from "../domain/ProxyError.js"
import { Deadline, type Deadlines, type Expirable } from "../downstream/Deadlines.js"
import type { RequestBody } from "../downstream/Downstream.js"
import type { EndOfTurn, TurnListener } from "../downstream/EndOfTurn.js"
import { type ChunkProducer, ChunkSource } from "../wire/ChunkSource.js"
import { trailerFields } from "../wire/HeaderFields.js"
import type { RequestFraming } from "../wire/RequestFraming.js"
import { ContentPace, type LeastPace } from "./ContentPace.js"

/** The largest content that is held to be sent in one piece with its head, in bytes. */
const largestHeld = 65_536

const noTrailers: ReadonlyArray<string> = []

/** Who wants the content of a request. */
export interface ContentListener {
  /** Content as it goes to the server: whole, where it had arrived by the end of the turn, else in motion. */
  readonly contentReady: (body: RequestBody) => void
  /** The client has sent nothing for longer than it may. */
  readonly contentTimedOut: () => void
  /** The client has sent less than it must in a time. */
  readonly contentTooSlow: () => void
  /** There is more content than there may be. */
  readonly contentTooLarge: () => void
  /** So many more bytes of content have arrived. */
  readonly contentArrived: (bytes: number) => void
}

/** What reading content needs from the server around it. */
export interface ContentContext {
  readonly endOfTurn: EndOfTurn<TurnListener>
  /** For the next byte of content while one is waited for. */
  readonly progress: Deadlines
  /** How fast content must come; `undefined`: at any pace. */
  readonly leastPace: LeastPace | undefined
  /** How many bytes of content a request may have; may be infinite. */
  readonly maxBytes: number
}

/** The content of one request that has some, on its way in from the client. */
export class RequestContent implements TurnListener, ChunkProducer, Expirable {
  private source: ChunkSource<RequestBroken> | undefined
  private isOver = false
  private size = 0
  private readonly nextByte = new Deadline(this)
  private readonly pace: ContentPace | undefined

  constructor(
    private readonly context: ContentContext,
    private readonly message: IncomingMessage,
    private readonly framing: RequestFraming,
    private readonly listener: ContentListener,
  ) {
    const { leastPace } = context
    if (leastPace !== undefined) this.pace = new ContentPace(leastPace, () => this.tooSlow())
  }

  /** Whether everything that the client had to send has arrived. */
  get isComplete(): boolean {
    return this.framing.content === "none" || this.framing.content === 0 || this.message.complete
  }

  /** Begins to read. */
  start(): void {
    const { content, expectsContinue } = this.framing
    if (expectsContinue || (typeof content === "number" && content > largestHeld)) this.move()
    else this.context.endOfTurn.add(this)
  }

  turnEnded(): void {
    if (this.isOver) return
    if (this.message.complete) this.hand()
    else this.move()
  }

  pause(): void {
    this.message.pause()
    this.stopClocks()
  }

  resume(): void {
    this.message.resume()
    if (!this.isOver) this.context.progress.start(this.nextByte)
  }

  /** The server wants no more of it: what still comes is thrown away. */
  cancel(): void {
    this.close()
    this.message.resume()
  }

  /** The client has sent nothing for too long. */
  expire(): void {
    this.listener.contentTimedOut()
    this.fail("the client stopped sending")
  }

  /** The client is gone, or sent what is not HTTP. */
  fail(problem: string): void {
    if (this.isOver) return
    this.close()
    this.source?.fail(new RequestBroken({ problem }))
  }

  private hand(): void {
    const held: unknown = this.message.read()
    const bytes = held instanceof Uint8Array ? held : new Uint8Array(0)
    this.message.resume()
    this.listener.contentArrived(bytes.byteLength)
    if (bytes.byteLength > this.context.maxBytes) return this.tooLarge()
    this.isOver = true
    const chunked = this.framing.content === "chunked"
    const trailers = chunked ? trailerFields(this.message.rawTrailers) : noTrailers
    this.listener.contentReady({ _tag: "Bytes", bytes, chunked, trailers })
  }

  private move(): void {
    const source = new ChunkSource<RequestBroken>(this)
    this.source = source
    this.message.on("data", (chunk: Buffer) => this.received(chunk))
    this.message.on("end", () => this.ended())
    this.context.progress.start(this.nextByte)
    this.listener.contentReady({ _tag: "Moving", source, chunked: this.framing.content === "chunked" })
  }

  private received(chunk: Buffer): void {
    if (this.isOver) return
    this.context.progress.start(this.nextByte)
    this.pace?.count(chunk.byteLength)
    this.listener.contentArrived(chunk.byteLength)
    this.size += chunk.byteLength
    if (this.size > this.context.maxBytes) this.tooLarge()
    else this.source?.push(chunk)
  }

  private ended(): void {
    if (this.isOver) return
    this.close()
    this.source?.end(trailerFields(this.message.rawTrailers))
  }

  private tooSlow(): void {
    this.listener.contentTooSlow()
    this.fail("the client sent too slowly")
  }

  private tooLarge(): void {
    this.listener.contentTooLarge()
    this.fail("the client sent too much")
  }

  private close(): void {
    this.isOver = true
    this.stopClocks()
  }

  private stopClocks(): void {
    this.context.progress.stop(this.nextByte)
    this.pace?.stop()
  }
}
