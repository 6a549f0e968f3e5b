import { Exit } from "effect"
import { RequestBroken } from "../domain/ProxyError.js"
import { Deadline, type Deadlines, type Expirable } from "../clock/Deadlines.js"
import type { RequestBody } from "../downstream/Downstream.js"
import type { SocketInput } from "../socket/SocketInput.js"
import type { EndOfTurn, TurnListener } from "../clock/EndOfTurn.js"
import { Call, type CallListener } from "../step/Call.js"
import { bytes, moving } from "../wire/Body.js"
import { type ChunkProducer, ChunkSource } from "../wire/ChunkSource.js"
import type { FieldEdits } from "../wire/FieldEdits.js"
import type { RawFields } from "../wire/HeaderFields.js"
import type { BodyHandler } from "../wire/MessageParser.js"
import type { RequestFraming } from "../wire/RequestFraming.js"
import { trailerFields } from "../wire/Trailers.js"
import { ContentPace, type LeastPace } from "./ContentPace.js"

/** The largest content that is held to be sent in one piece with its head, in bytes. */
const largestHeld = 65_536

/** Where the content of a request comes from. */
export interface ContentInlet {
  /** Lets the content come, what has arrived of it at once. */
  readonly openContent: (receiver: BodyHandler) => void
  readonly pauseContent: () => void
  readonly resumeContent: () => void
  /** Throws away what has arrived of content that nobody wants. Whether that was all of it. */
  readonly skipContent: () => boolean
  /** How its pieces can be kept. */
  readonly input: Pick<SocketInput, "stable" | "keep">
}

/** Who is told how the content of a request comes in. */
export interface ContentListener {
  /** The fields of the request, raw pairs. */
  readonly fields: RawFields
  /** What its trailers lose, as its fields do. */
  readonly edits: FieldEdits | undefined
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

/**
 * The content of one request that has some, on its way in from the client. As a call it comes to the content as it goes to
 * the server: whole, where it has arrived by the end of the turn, else moving.
 */
export class RequestContent extends Call<RequestBody> implements BodyHandler, TurnListener, ChunkProducer, Expirable {
  private taker: CallListener<RequestBody, never> | undefined
  private source: ChunkSource<RequestBroken> | undefined
  private held: Array<Buffer> = []
  private isOver = false
  private isWhole = false
  private size = 0
  private readonly nextByte = new Deadline(this)
  private readonly pace: ContentPace | undefined

  constructor(
    private readonly context: ContentContext,
    private readonly inlet: ContentInlet,
    private readonly framing: RequestFraming,
    private readonly listener: ContentListener,
  ) {
    super()
    const { leastPace } = context
    if (leastPace !== undefined) this.pace = new ContentPace(leastPace, () => this.tooSlow())
  }

  /** Whether everything that the client had to send has arrived. */
  get isComplete(): boolean {
    return this.isWhole
  }

  /** Begins to read. */
  override start(taker: CallListener<RequestBody, never>): void {
    this.taker = taker
    const { content, expectsContinue } = this.framing
    if (expectsContinue || (typeof content === "number" && content > largestHeld)) this.move()
    this.inlet.openContent(this)
    if (!this.isOver && this.source === undefined) this.context.endOfTurn.add(this)
  }

  /** What had arrived is not all of it. */
  turnEnded(): void {
    if (!this.isOver && this.source === undefined) this.move()
  }

  body(chunk: Buffer): void {
    if (this.isOver) return
    this.size += chunk.byteLength
    this.listener.contentArrived(chunk.byteLength)
    if (this.size > this.context.maxBytes) return this.tooLarge()
    if (this.source === undefined) return this.hold(chunk)
    this.context.progress.start(this.nextByte)
    this.pace?.count(chunk.byteLength)
    const stable = this.inlet.input.stable(chunk)
    if (this.source.push(stable)) this.inlet.input.keep(stable)
  }

  end(trailers: ReadonlyArray<string>): void {
    this.isWhole = true
    if (this.isOver) return
    this.close()
    const kept = trailerFields(trailers, this.listener.fields, this.listener.edits)
    if (this.source === undefined) return this.hand(kept)
    // It may still wait for its server, but what follows it does not: a client that is not read cannot be seen to leave.
    this.inlet.resumeContent()
    this.source.end(kept)
  }

  pause(): void {
    this.inlet.pauseContent()
    this.stopClocks()
  }

  resume(): void {
    if (!this.isOver) this.context.progress.start(this.nextByte)
    this.inlet.resumeContent()
  }

  /** The server wants no more of it: what still comes is thrown away. */
  override cancel(): void {
    this.close()
    if (!this.isWhole) this.inlet.resumeContent()
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

  private hold(chunk: Buffer): void {
    const stable = this.inlet.input.stable(chunk)
    this.inlet.input.keep(stable)
    this.held.push(stable)
    if (this.size > largestHeld) this.move()
  }

  private hand(trailers: ReadonlyArray<string>): void {
    const [first] = this.held
    const whole = this.held.length === 1 && first !== undefined ? first : Buffer.concat(this.held)
    this.held = []
    this.ready(bytes(whole, this.isChunked, trailers))
  }

  private move(): void {
    const source = new ChunkSource<RequestBroken>(this)
    this.source = source
    this.context.progress.start(this.nextByte)
    this.ready(moving(source, this.isChunked))
    for (const chunk of this.held.splice(0)) source.push(chunk)
  }

  private get isChunked(): boolean {
    return this.framing.content === "chunked"
  }

  private ready(body: RequestBody): void {
    this.taker?.settled(Exit.succeed(body))
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
