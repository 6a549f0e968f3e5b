import { Slices } from "../clock/Slices.js"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import type { BridgedSocket } from "./BridgedSocket.js"
import type { CloseReason, Pump, Side } from "./Pump.js"

/** The settings of time that bridged WebSockets are held to. */
export type WebSocketTimes = Pick<ProxySettings, "wsPing" | "wsIdleTimeout" | "wsMaxLifetime">

/**
 * A round is made at least so many times in the shortest of the times, but no more often than `shortestRound`
 * milliseconds; what is to be noticed after a time is noticed at the next round.
 */
const roundsInTime = 8
const shortestRound = 10
const longestRound = 1_000

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

  constructor(private readonly socket: BridgedSocket) {
    this.client = new SideWatch(socket.up, socket.down)
    this.server = new SideWatch(socket.down, socket.up)
  }

  look(now: number, passed: number, { wsPing, wsIdleTimeout, wsMaxLifetime }: WebSocketTimes): void {
    const { socket } = this
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

/**
 * Goes round all bridged WebSockets with one timer, so that none needs one of its own and none has to look at a clock
 * when a chunk passes: pings silent sides, and ends what is idle, too old, or does not answer. Does nothing, and costs
 * nothing, where all of that is off.
 */
export class WebSocketTimers {
  private readonly watched = new Map<BridgedSocket, SocketWatch>()
  private readonly interval: number
  private readonly slices = new Slices()
  /** A round that is not over when the next is due takes its place. */
  private isUnderWay = false
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly settings: WebSocketTimes) {
    const times = [settings.wsPing, settings.wsIdleTimeout, settings.wsMaxLifetime].filter((time) => time > 0)
    const shortest = Math.min(...times)
    // A whole number of rounds, so that none goes on beyond the time.
    const wanted = shortest / Math.max(roundsInTime, Math.ceil(shortest / longestRound))
    this.interval = times.length === 0 ? 0 : Math.max(shortestRound, wanted)
  }

  add(socket: BridgedSocket): void {
    if (this.interval === 0) return
    this.watched.set(socket, new SocketWatch(socket))
    this.timer ??= setInterval(this.round, this.interval)
  }

  remove(socket: BridgedSocket): void {
    this.watched.delete(socket)
    if (this.watched.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** Thousands may have to be pinged at a time: a round takes as many turns of the event loop as it needs. */
  private readonly round = (): void => {
    if (this.isUnderWay || this.watched.size === 0) return
    const now = performance.now()
    const round = Array.from(this.watched)
    let next = 0
    this.isUnderWay = true
    const step = (): boolean => {
      const [socket, watch] = round[next++] ?? []
      this.isUnderWay = next < round.length
      if (socket !== undefined && this.watched.has(socket)) watch?.look(now, this.interval, this.settings)
      return next < round.length
    }
    this.slices.add({ step })
  }
}
