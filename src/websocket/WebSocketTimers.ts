import { Slices } from "../clock/Slices.js"
import type { BridgedSocket } from "./BridgedSocket.js"
import type { CloseReason, Pump, Side } from "./Pump.js"
import type { WebSocketRules } from "./WebSocketRules.js"

/** The times that a bridged WebSocket is held to. */
export type WebSocketTimes = Pick<WebSocketRules, "wsPing" | "wsIdleTimeout" | "wsMaxLifetime">

/**
 * A round is made so many times in the shortest of the times, but at least once in `longestRound` milliseconds and no more
 * often than once in `shortestRound`; what is to be noticed after a time is noticed at the next round.
 */
const roundsInTime = 8
const shortestRound = 10
const longestRound = 1_000

/** How often WebSockets with these times are looked at, in milliseconds; Infinity where none of them is set. */
const intervalFor = ({ wsIdleTimeout, wsMaxLifetime, wsPing }: WebSocketTimes): number => {
  const shortest = Math.min(wsPing || Infinity, wsIdleTimeout || Infinity, wsMaxLifetime || Infinity)
  // All long times have one round, so that there are few rounds, however many sessions have times of their own.
  return shortest === Infinity ? Infinity : Math.min(longestRound, Math.max(shortestRound, shortest / roundsInTime))
}

const idleClose: CloseReason = { code: 1001, reason: "no message for too long" }
const lifetimeClose: CloseReason = { code: 1001, reason: "the connection reached its longest lifetime" }

/** How long one side has given no sign of life. */
class SideWatch {
  private heardBytes = -1
  private takenBytes = 0
  private wasBackedUp = false
  private silence = 0
  private isAsked = false

  /** `sending` carries what the side sends, `receiving` what it gets. */
  constructor(
    private readonly sending: Pump,
    private readonly receiving: Pump,
  ) {}

  get side(): Side {
    return this.sending.side
  }

  /**
   * Asks a side that has been silent for half of `patience`, so that as much is left for its answer. `true`: it has been
   * silent for `patience` milliseconds. `passed`: how long a round takes. Silence is counted in rounds and not by the
   * clock: while this process stands still, an answer may well have arrived that it has not read.
   */
  isGone(passed: number, patience: number): boolean {
    if (this.showsLife()) {
      this.silence = 0
      this.isAsked = false
      return false
    }
    // A side that cannot be asked yet keeps the second half of its time.
    if (this.isAsked || this.silence < patience / 2) this.silence += passed
    if (!this.isAsked && this.silence >= patience / 2) this.isAsked = this.ask()
    return this.isAsked && this.silence >= patience
  }

  /** Whether it sent something since the last round, or read on where bytes had to wait for it. */
  private showsLife(): boolean {
    const { bytes, isStalled } = this.sending
    const { taken, isBackedUp } = this.receiving
    // A side that is not read cannot be heard; its peer, which does not keep up, is asked in its place.
    const alive = isStalled || bytes !== this.heardBytes || (this.wasBackedUp && taken !== this.takenBytes)
    this.heardBytes = bytes
    this.takenBytes = taken
    this.wasBackedUp = isBackedUp
    return alive
  }

  /**
   * Whether it has something to answer now: a ping; or the frame into which none can be put, where the side itself holds
   * that up: it would read on if it were there.
   */
  private ask(): boolean {
    return this.receiving.ping(this.sending) || this.receiving.isBackedUp
  }
}

/** What is known about one WebSocket between two rounds. */
class SocketWatch {
  private readonly bornAt = performance.now()
  private readonly client: SideWatch
  private readonly server: SideWatch
  private dataSeen = 0
  private dataAt = this.bornAt

  constructor(
    private readonly socket: BridgedSocket,
    private readonly times: WebSocketTimes,
  ) {
    this.client = new SideWatch(socket.up, socket.down)
    this.server = new SideWatch(socket.down, socket.up)
  }

  look(now: number, passed: number): void {
    const { socket } = this
    const { wsIdleTimeout, wsMaxLifetime, wsPing } = this.times
    if (socket.end !== undefined) return
    if (wsMaxLifetime > 0 && now - this.bornAt >= wsMaxLifetime) return socket.closeWith(lifetimeClose)
    if (wsIdleTimeout > 0 && this.isIdle(now, wsIdleTimeout)) return socket.closeWith(idleClose)
    if (wsPing === 0) return
    for (const watch of [this.client, this.server])
      if (watch.isGone(passed, wsPing)) return socket.closeAfterLoss(watch.side, "it did not answer a ping")
  }

  private isIdle(now: number, longest: number): boolean {
    const { up, down } = this.socket
    const data = up.messages + down.messages + up.cursor.payloadBytes + down.cursor.payloadBytes
    if (data === this.dataSeen) return now - this.dataAt >= longest
    this.dataSeen = data
    this.dataAt = now
    return false
  }
}

/** The WebSockets that are looked at equally often, with one timer for all of them. */
class Round {
  private readonly watched = new Map<BridgedSocket, SocketWatch>()
  /** A round that is not over when the next is due takes its place. */
  private isUnderWay = false
  private readonly timer: NodeJS.Timeout

  constructor(
    private readonly interval: number,
    private readonly slices: Slices,
  ) {
    this.timer = setInterval(() => this.go(), interval)
  }

  get isEmpty(): boolean {
    return this.watched.size === 0
  }

  add(socket: BridgedSocket, times: WebSocketTimes): void {
    this.watched.set(socket, new SocketWatch(socket, times))
  }

  remove(socket: BridgedSocket): void {
    this.watched.delete(socket)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Thousands may have to be pinged at a time: a round takes as many turns of the event loop as it needs. */
  private go(): void {
    if (this.isUnderWay || this.isEmpty) return
    const now = performance.now()
    const round = Array.from(this.watched)
    let next = 0
    this.isUnderWay = true
    const step = (): boolean => {
      const [socket, watch] = round[next++] ?? []
      this.isUnderWay = next < round.length
      if (socket !== undefined && this.watched.has(socket)) watch?.look(now, this.interval)
      return next < round.length
    }
    this.slices.add({ step })
  }
}

/**
 * Goes round bridged WebSockets with a timer for all that are looked at equally often, so that none needs one of its own and
 * none has to look at a clock when a chunk passes: pings silent sides, and ends what is idle, too old, or does not answer.
 * Does nothing, and costs nothing, for a WebSocket that is held to no time.
 */
export class WebSocketTimers {
  private readonly rounds = new Map<number, Round>()
  private readonly slices = new Slices()

  /** `times`: what it is held to as long as it is there. */
  add(socket: BridgedSocket, times: WebSocketTimes): void {
    const interval = intervalFor(times)
    if (interval === Infinity) return
    let round = this.rounds.get(interval)
    if (round === undefined) this.rounds.set(interval, (round = new Round(interval, this.slices)))
    round.add(socket, times)
  }

  /** `times`: those that it was added with. */
  remove(socket: BridgedSocket, times: WebSocketTimes): void {
    const interval = intervalFor(times)
    const round = this.rounds.get(interval)
    round?.remove(socket)
    if (round?.isEmpty !== true) return
    round.stop()
    this.rounds.delete(interval)
  }
}
