import type { Socket } from "node:net"
import { Effect } from "effect"
import { type ByteReceiver, inputOf, type SocketInput } from "../socket/SocketInput.js"
import { closeFrame, pingFrame, pongFrame } from "./ControlFrame.js"
import { type ControlListener, type ControlOpcode, type CursorFault, FrameCursor } from "./FrameCursor.js"
import { ExpectedPongs } from "./ExpectedPongs.js"
import { reset } from "../socket/SocketEnd.js"

/** The two ends of a bridged WebSocket. */
export type Side = "client" | "server"

/** What happened in one direction of a bridged WebSocket, for whoever supervises it. Each is told at most once. */
export type PumpEvent =
  /** The sender's close frame has passed. */
  | { readonly _tag: "Closing" }
  /** The sender vanished without a close frame. */
  | { readonly _tag: "Lost"; readonly cause: string }
  /** What the sender sent is not RFC 6455, or over a limit. */
  | { readonly _tag: "Violated"; readonly fault: CursorFault }
  /** The pump itself threw. */
  | { readonly _tag: "Crashed"; readonly cause: unknown }

/** How a direction came to its end: by its sender's doing, or because the proxy closed both sides. */
export type PumpEnd = Exclude<PumpEvent["_tag"], "Crashed"> | "Closed"

/** Told what happens to the frames that `side` sends. */
export interface PumpListener {
  happened(side: Side, event: PumpEvent): void
  /** A ping that `side` sent goes on, with this payload; told only where pings are followed. */
  pinged(side: Side, payload: Uint8Array): void
  /** What `side` sends has to wait until the other one reads on. */
  backedUp(side: Side): void
  /** What `side` sends cannot be written, for the other one has closed: what it sent before is read now, or never. */
  writeFailed(side: Side): void
}

/** What the frames of a direction are held to. */
export interface FrameRules {
  /** Whether an extension was negotiated. */
  readonly extensions: boolean
  /** Infinity for no limit. */
  readonly maxMessageBytes: number
  /** Whether the proxy sends pings of its own, so that it must tell the answers to them from others. */
  readonly followsPings: boolean
}

/** A close frame that the proxy puts into a direction on its own account. */
export interface CloseReason {
  readonly code: number
  readonly reason: string
}

const closeByte = 0x88
const pongByte = 0x8a

/** A pong that the receiver does not get, in the chunk at hand, and the payload of the one that it gets in its place. */
interface OwnPong {
  readonly start: number
  readonly end: number
  readonly inPlace: Uint8Array | undefined
}

/** An end by FIN says no more than that; one by an error says why. */
const causeOf = (socket: Socket): string => {
  const { errored } = socket
  if (errored === null) return "it closed without a close frame"
  return "code" in errored && typeof errored.code === "string" ? errored.code : errored.message
}

/**
 * One direction of a bridged WebSocket, as a state machine that the sockets' callbacks drive: no fiber is woken and
 * nothing allocated for a chunk. Frames pass byte for byte until the direction is *discarding*: its sender has sent a close frame,
 * or we have in its place. From then on what still comes is read and dropped. The header of a frame passes whole, so that the
 * receiver never has a part of a frame that turns out to be none.
 */
export class Pump implements ByteReceiver, ControlListener {
  readonly cursor: FrameCursor
  private readonly input: SocketInput
  /** What ended this direction: the first thing that did. */
  private outcome: Effect.Effect<PumpEnd> = Effect.succeed("Closed")
  private isTold = false
  private isOver = false
  private whenOver: (() => void) | undefined
  private isDiscarding = false
  /** A close frame that waits for the end of a frame. */
  private pendingClose: CloseReason | undefined
  /** What the sender has to answer; `undefined` where the proxy sends no pings. */
  private readonly expectedPongs: ExpectedPongs | undefined
  /** The beginning of a frame that the receiver has not got yet: of its header, or of one that it may not get as it is. */
  private held: Buffer | undefined
  /** Where the close frame begins and ends, in the chunk at hand. */
  private closeStart = -1
  private closeEnd = -1
  /** What the receiver is told at the end in any case, for it has broken the rules. */
  private verdict: CloseReason | undefined
  private ownPongs: Array<OwnPong> | undefined

  /** `side`: who sends. `early`: what had arrived of it before. */
  constructor(
    readonly side: Side,
    private readonly from: Socket,
    private readonly to: Socket,
    private early: Uint8Array | undefined,
    { extensions, maxMessageBytes, followsPings }: FrameRules,
    private readonly listener: PumpListener,
  ) {
    this.input = inputOf(from)
    this.expectedPongs = followsPings ? new ExpectedPongs() : undefined
    this.cursor = new FrameCursor({
      masked: side === "client",
      extensions,
      keepsPings: followsPings,
      maxMessageBytes,
      listener: this,
    })
  }

  /** Bytes that have come from the sender. */
  get bytes(): number {
    return this.cursor.wireBytes
  }

  /** Complete messages that have come from the sender. */
  get messages(): number {
    return this.cursor.texts + this.cursor.binaries
  }

  /** Grows with every data frame that comes from the sender, and with all of its payload. */
  get dataSigns(): number {
    return this.cursor.dataFrames + this.cursor.payloadBytes
  }

  /** Pings and pongs that have come from the sender. */
  get pings(): number {
    return this.cursor.pings + this.cursor.pongs
  }

  /** Whether the sender is not read at the moment, because the receiver does not keep up. */
  get isStalled(): boolean {
    return this.from.isPaused()
  }

  /** Bytes that the receiver's connection has taken. */
  get taken(): number {
    return this.to.bytesWritten - this.to.writableLength
  }

  /** Whether bytes have to wait because the receiver does not read on. */
  get isBackedUp(): boolean {
    return this.to.writableLength > 0
  }

  /**
   * Moves bytes. Ends when nothing more can come, with what ended the direction; dies where the pump itself threw. To be
   * run once, in a fiber of its own, which sleeps meanwhile.
   */
  get run(): Effect.Effect<PumpEnd> {
    return Effect.suspend(() => {
      this.start()
      return this.over
    })
  }

  /** Sleeps until nothing more can come. */
  get over(): Effect.Effect<PumpEnd> {
    return Effect.async((resume) => {
      this.whenOver = () => resume(this.outcome)
      if (this.isOver) this.whenOver()
    })
  }

  /** The sender's socket is closed. */
  senderClosed(): void {
    this.ended()
    this.isOver = true
    this.whenOver?.()
  }

  private start(): void {
    const { early } = this
    this.early = undefined
    this.input.deliverTo(this)
    this.from.on("end", this.ended)
    this.to.on("drain", this.drained)
    if (early !== undefined && early.byteLength > 0)
      this.received(Buffer.from(early.buffer, early.byteOffset, early.byteLength))
    if (!this.to.writableNeedDrain) this.from.resume()
  }

  /** Whether nothing passes any more. */
  get isDone(): boolean {
    return this.isDiscarding
  }

  /** Whatever close frame the receiver gets from now on, the sender's or ours, it is this one. */
  condemnReceiver(verdict: CloseReason): void {
    this.verdict ??= verdict
  }

  /**
   * Sends the receiver a close frame at the next frame boundary, and half-closes. `false`: a frame is half sent, so that
   * the close frame waits for its end, which may never come.
   */
  sendClose(reason: CloseReason): boolean {
    if (this.isDiscarding) this.halfClose()
    else if (this.mayInject) this.sendCloseNow(reason)
    else this.pendingClose ??= reason
    return this.isDiscarding
  }

  /** Sends a close frame, or resets the receiver where that cannot be done: the rest of a half-sent frame will not come. */
  sendCloseOrCut(reason: CloseReason): void {
    if (!this.sendClose(reason)) this.cutReceiver()
  }

  /**
   * Sends the receiver a ping of ours, where a frame may be put now; `answers` carries what the receiver sends. Returns
   * whether it did.
   */
  ping(answers: Pump): boolean {
    if (answers.expectedPongs === undefined || this.isDiscarding || !this.mayInject) return false
    this.to.write(pingFrame(answers.expectedPongs.nextPing, this.side === "client"))
    answers.expectedPongs.expect()
    return true
  }

  /** A ping of the receiver's own, with this payload, is on its way to the sender. */
  receiverAsked(payload: Uint8Array): void {
    this.expectedPongs?.peerAsked(payload)
  }

  /** Lets nothing more pass: the receiver is gone. */
  discardRest(): void {
    this.isDiscarding = true
    this.held = undefined
    this.from.resume()
  }

  /** The sender is gone, or has nothing more to send. */
  private readonly ended = (): void => {
    if (this.isDiscarding) this.halfClose()
    else this.tell({ _tag: "Lost", cause: causeOf(this.from) })
  }

  private tell(event: PumpEvent): void {
    if (!this.isTold) this.outcome = event._tag === "Crashed" ? Effect.die(event.cause) : Effect.succeed(event._tag)
    this.isTold = true
    this.listener.happened(this.side, event)
  }

  private get mayInject(): boolean {
    return this.cursor.atBoundary || this.held !== undefined
  }

  received(bytes: Buffer): void {
    if (this.isDiscarding) return
    try {
      const chunk = this.input.stable(bytes)
      const fault = this.cursor.advance(chunk)
      if (fault !== undefined || this.needsCare) this.passWithCare(chunk, fault)
      else this.write(chunk)
    } catch (cause) {
      this.cutReceiver()
      this.tell({ _tag: "Crashed", cause })
    }
  }

  /** Whether more is to be done with a chunk than to pass it on. */
  private get needsCare(): boolean {
    return (
      this.held !== undefined ||
      this.cursor.inHeader ||
      this.expectedPongs?.areExpected === true ||
      this.ownPongs !== undefined ||
      this.closeEnd >= 0 ||
      this.pendingClose !== undefined ||
      this.verdict !== undefined
    )
  }

  controlPassed(opcode: ControlOpcode, start: number, end: number): void {
    if (opcode === 8) {
      if (this.closeEnd >= 0) return
      this.closeStart = start
      this.closeEnd = end
    } else if (this.expectedPongs !== undefined) {
      if (opcode === 9) this.listener.pinged(this.side, this.cursor.controlPayload)
      else this.pongSeen(this.expectedPongs.answer(this.cursor.controlPayload), start, end)
    }
  }

  private pongSeen(answer: ReturnType<ExpectedPongs["answer"]>, start: number, end: number): void {
    if (answer === "passed") return
    this.ownPongs ??= []
    this.ownPongs.push({ start, end, inPlace: answer === "kept" ? undefined : answer })
  }

  /** Passes on what may pass of a chunk that holds, or may hold, something special. */
  private passWithCare(chunk: Buffer, fault: CursorFault | undefined): void {
    const { held, pendingClose, closeEnd, closeStart, verdict } = this
    const shift = held?.byteLength ?? 0
    const bytes = held === undefined ? chunk : Buffer.concat([held, chunk])
    const { lastBoundary } = this.cursor
    const boundary = lastBoundary >= 0 ? lastBoundary + shift : held === undefined ? -1 : 0
    this.held = undefined
    if (closeEnd >= 0) {
      const replaced = verdict !== undefined && closeStart + shift >= 0 ? verdict : undefined
      this.forward(bytes, (replaced === undefined ? closeEnd : closeStart) + shift, shift)
      this.closed(replaced)
    } else if (fault !== undefined) {
      this.forward(bytes, boundary, shift)
      this.violated(fault)
    } else if (pendingClose !== undefined && boundary >= 0) {
      this.forward(bytes, boundary, shift)
      this.sendCloseNow(pendingClose)
    } else {
      this.forward(bytes, this.holdBack(bytes, boundary), shift)
    }
  }

  /** Passes on the bytes up to `end`, less the answers to our own pings. */
  private forward(bytes: Buffer, end: number, shift: number): void {
    let at = 0
    for (const pong of this.ownPongs ?? []) {
      const from = pong.start + shift
      const to = pong.end + shift
      if (from < 0 || to > end) continue
      this.write(bytes.subarray(at, from))
      if (pong.inPlace !== undefined) this.write(pongFrame(pong.inPlace, this.side === "client"))
      at = to
    }
    this.ownPongs = undefined
    this.write(bytes.subarray(at, end))
  }

  /** Keeps back the beginning of a frame that may not pass yet. Returns where what may pass now ends. */
  private holdBack(bytes: Buffer, boundary: number): number {
    if (this.cursor.atBoundary || boundary < 0 || !(this.cursor.inHeader || this.mayBeOurs(bytes[boundary])))
      return bytes.length
    this.held = Buffer.from(bytes.subarray(boundary))
    return boundary
  }

  /** Whether a frame that begins with this byte may be a pong for us, or is a close frame that the receiver gets from us. */
  private mayBeOurs(first: number | undefined): boolean {
    if (first === pongByte) return this.expectedPongs?.areExpected === true
    return first === closeByte && this.verdict !== undefined
  }

  private write(bytes: Buffer): void {
    if (bytes.byteLength === 0) return
    this.to.write(bytes, this.written)
    // The kernel takes most of what there is at once, and then neither memory nor patience is needed.
    if (this.to.writableLength === 0) return
    this.input.keep(bytes)
    this.listener.backedUp(this.side)
    if (this.to.writableNeedDrain) this.from.pause()
  }

  private readonly written = (error: Error | null | undefined): void => {
    if (error instanceof Error) this.listener.writeFailed(this.side)
  }

  /** The sender's close frame has passed, or ours in its place. */
  private closed(replaced: CloseReason | undefined): void {
    this.discardRest()
    if (replaced !== undefined) this.sendCloseNow(replaced)
    else if (this.pendingClose !== undefined) this.halfClose()
    this.tell({ _tag: "Closing" })
  }

  /** The receiver has all that was sound. It is told why no more comes, and may still answer: no FIN yet. */
  private violated(fault: CursorFault): void {
    this.discardRest()
    this.writeClose(this.pendingClose ?? { code: fault.code, reason: fault.problem })
    this.tell({ _tag: "Violated", fault })
  }

  private sendCloseNow(reason: CloseReason): void {
    this.discardRest()
    this.writeClose(reason)
    this.halfClose()
  }

  private writeClose(reason: CloseReason): void {
    const said = this.verdict ?? reason
    if (this.to.writable) this.to.write(closeFrame(said.code, said.reason, this.side === "client"))
  }

  /** Half-closes: sends the receiver FIN, once it has everything. */
  private halfClose(): void {
    if (this.to.writable) this.to.end()
  }

  private cutReceiver(): void {
    this.discardRest()
    reset(this.to)
  }

  private readonly drained = (): void => {
    this.from.resume()
  }
}
