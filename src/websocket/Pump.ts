import type { Socket } from "node:net"
import { Effect } from "effect"
import { closeFrame } from "./ControlFrame.js"
import { type CursorFault, FrameCursor } from "./FrameCursor.js"

/** How one direction came to its end. */
export type PumpEnd =
  /** The sender said goodbye with a close frame and hung up, or we did in its place. */
  | { readonly _tag: "Closed" }
  /** The sender vanished without a close frame. */
  | { readonly _tag: "Lost"; readonly cause: Error | undefined }
  /** What the sender sent is not RFC 6455. */
  | { readonly _tag: "Violated"; readonly fault: CursorFault }

/** A close frame that the proxy puts into a direction on its own account. */
export interface Farewell {
  readonly code: number
  readonly reason: string
}

/**
 * One direction of a bridged WebSocket. Bytes move in the sockets' callbacks, with backpressure; the fiber that runs the
 * pump only waits for its end.
 */
export class Pump {
  readonly cursor: FrameCursor
  private ending: ((end: PumpEnd) => void) | undefined
  private farewell: Farewell | undefined
  private isSilent = false

  /**
   * `towardServer`: frames must be masked, those of ours too. `extensions`: whether one was negotiated.
   */
  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly towardServer: boolean,
    extensions: boolean,
  ) {
    this.cursor = new FrameCursor({ masked: towardServer, extensions })
  }

  /** Bytes that have passed. */
  get bytes(): number {
    return this.cursor.wireBytes
  }

  /** Complete messages that have passed. */
  get messages(): number {
    return this.cursor.texts + this.cursor.binaries
  }

  /** Moves bytes until this direction ends. `early`: what had arrived before. */
  readonly run = (early: Uint8Array): Effect.Effect<PumpEnd> =>
    Effect.async<PumpEnd>((resume) => {
      this.ending = (end) => resume(Effect.succeed(end))
      this.from.on("data", this.received)
      this.from.on("end", this.ended)
      this.from.on("error", this.broken)
      this.from.on("close", this.closed)
      this.to.on("drain", this.drained)
      if (early.byteLength > 0) this.received(early)
      this.from.resume()
      if (this.from.destroyed) this.closed()
      return Effect.sync(() => this.stop())
    })

  /**
   * Says goodbye to the receiver at the next frame boundary; what the sender still sends goes nowhere. `false`: a frame
   * is half sent, so that the farewell waits for its end, and may wait in vain.
   */
  say(farewell: Farewell): boolean {
    if (this.isSilent || this.farewell !== undefined) return this.isSilent
    if (this.cursor.closes > 0) return true
    this.farewell = farewell
    if (this.cursor.atBoundary) this.sayNow(farewell)
    return this.isSilent
  }

  /** Hangs up on the receiver, once it has everything. */
  hangUp(): void {
    this.isSilent = true
    this.to.end()
  }

  private readonly received = (chunk: Uint8Array): void => {
    if (this.isSilent) return
    const fault = this.cursor.advance(chunk)
    if (fault !== undefined) return this.violated(chunk, fault)
    if (this.farewell !== undefined && this.cursor.lastBoundary >= 0) {
      this.to.write(chunk.subarray(0, this.cursor.lastBoundary))
      return this.sayNow(this.farewell)
    }
    if (!this.to.write(chunk)) this.from.pause()
  }

  private violated(chunk: Uint8Array, fault: CursorFault): void {
    const sound = this.cursor.lastBoundary
    if (sound > 0) this.to.write(chunk.subarray(0, sound))
    if (sound >= 0) this.sayNow({ code: fault.code, reason: fault.problem })
    this.isSilent = true
    this.finish({ _tag: "Violated", fault })
  }

  private sayNow({ code, reason }: Farewell): void {
    this.isSilent = true
    this.from.resume()
    if (this.to.writable) this.to.write(closeFrame(code, reason, this.towardServer))
  }

  private readonly drained = (): void => {
    this.from.resume()
  }

  private readonly ended = (): void => {
    if (this.isSilent || this.cursor.closes > 0) this.finish({ _tag: "Closed" })
    else this.finish({ _tag: "Lost", cause: undefined })
  }

  private readonly broken = (cause: Error): void => {
    if (this.isSilent || this.cursor.closes > 0) this.finish({ _tag: "Closed" })
    else this.finish({ _tag: "Lost", cause })
  }

  private readonly closed = (): void => this.ended()

  private finish(end: PumpEnd): void {
    const ending = this.ending
    this.ending = undefined
    ending?.(end)
  }

  private stop(): void {
    this.ending = undefined
    this.from.removeListener("data", this.received)
    this.from.removeListener("end", this.ended)
    this.from.removeListener("error", this.broken)
    this.from.removeListener("close", this.closed)
    this.to.removeListener("drain", this.drained)
  }
}
