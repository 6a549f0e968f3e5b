import { Context, Effect, Layer } from "effect"
import { Slices, sliceTime, type Steps } from "../clock/Slices.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { KillClose } from "../domain/SessionControl.js"
import type { LiveSession, SessionEnd, SessionListener } from "../sessions/LiveSession.js"
import { catalogue } from "../telemetry/Catalogue.js"
import type { Cells } from "../telemetry/Cells.js"
import { type Counters, Telemetry } from "../telemetry/Telemetry.js"
import { targetMatcher } from "../wire/PathGlob.js"
import { ActivityRound, type ActiveTraffic } from "./ActivityRound.js"

/** One exchange or WebSocket that is under way. It ends itself when its session's lifetime does (`sessionEnded`). */
export interface LiveTraffic extends SessionListener, ActiveTraffic {
  /** Number that nothing else of this process has or had; 0 until it is registered. */
  serial: number
  /** Its index among all traffic, and among that of its session: private to `Traffic`. */
  registryIndex: number
  sessionIndex: number
  readonly method: string
  /** What its client was answered; 0 while it was not. */
  readonly status: number
  /** When it began, in milliseconds since the epoch. */
  readonly since: number
  /** Complete data messages of a WebSocket so far. */
  readonly messagesIn: number
  readonly messagesOut: number
  /** Whether it is a request whose answer is on its way. */
  readonly isStreaming: boolean
  /** All traffic whose session has ended with its own is told, too: called behind `sessionEnded`, mostly at once. */
  othersTold(): void
  /** Asks it to end politely, for the proxy is going away. An HTTP exchange needs no asking: it ends by itself. */
  close(): void
  /**
   * Ends it because somebody who operates the proxy says so: a WebSocket by this close frame, a request that is not answered
   * yet by an error, an answer on its way by a reset.
   */
  closeNow(close: KillClose): void
  /** Ends it at once. */
  cut(): void
}

/** Live traffic as it is shown: a copy, not the thing. */
export interface TrafficView {
  readonly kind: "http" | "websocket"
  readonly sessionId: string
  readonly requestId: string
  readonly since: number
  readonly bytesIn: number
  readonly bytesOut: number
}

const viewOf = (traffic: LiveTraffic): TrafficView => ({
  kind: traffic.kind,
  sessionId: traffic.session?.id ?? "",
  requestId: traffic.requestId,
  since: traffic.since,
  bytesIn: traffic.bytesIn,
  bytesOut: traffic.bytesOut,
})

/** Tells traffic something, one after another. What has come to its end by then is told nothing. */
class Notice implements Steps {
  private next = 0

  constructor(
    private readonly traffic: ReadonlyArray<LiveTraffic>,
    private readonly registry: Registry,
    private readonly tell: (traffic: LiveTraffic) => void,
    /** All are told. */
    private readonly done: () => void,
  ) {}

  readonly step = (): boolean => {
    const traffic = this.traffic[this.next++]
    if (traffic !== undefined && this.registry.has(traffic)) this.tell(traffic)
    if (this.next < this.traffic.length) return true
    this.done()
    return false
  }
}

/** What follows from `othersTold` takes ten times as long: sockets are read, and close. */
const maxReleases = 8

/**
 * Tells traffic that its session has ended; and, when all is told that ended with it, so much. What follows from the first
 * word, answers and sockets that close, would else come before it for the last.
 */
class EndNotices {
  private readonly notices = new Slices()
  private readonly releases = new Slices(maxReleases)

  constructor(private readonly registry: Registry) {}

  tell(traffic: ReadonlyArray<LiveTraffic>, end: SessionEnd): void {
    const release = (): void =>
      this.releases.add(
        new Notice(
          traffic,
          this.registry,
          (one) => one.othersTold(),
          () => {},
        ),
      )
    // Behind all that waits already.
    const releaseLater = (): void => this.notices.add(new Notice([], this.registry, () => {}, release))
    this.notices.add(new Notice(traffic, this.registry, (one) => one.sessionEnded(end), releaseLater))
  }
}

/** The live traffic of one lifetime of a session; hangs on that lifetime while there is any. */
class SessionTraffic implements SessionListener {
  private readonly live: Array<LiveTraffic> = []
  /** How many of them are requests. */
  requests = 0

  constructor(
    private readonly session: LiveSession,
    private readonly registry: Registry,
  ) {}

  add(traffic: LiveTraffic): void {
    if (traffic.kind === "http") this.requests++
    traffic.sessionIndex = this.live.push(traffic) - 1
    if (this.live.length === 1 && this.session.ended === undefined) this.session.attach(this)
  }

  remove(traffic: LiveTraffic): void {
    if (traffic.kind === "http") this.requests--
    const last = this.live.pop()
    if (last !== undefined && last !== traffic) {
      this.live[traffic.sessionIndex] = last
      last.sessionIndex = traffic.sessionIndex
    }
    if (this.live.length === 0) this.session.detach(this)
  }

  /** There may be thousands, and other sessions are not to wait for them. */
  readonly sessionEnded = (end: SessionEnd): void => {
    this.registry.notices.tell(Array.from(this.live), end)
  }
}

/**
 * All live traffic. Each piece remembers its places in the arrays, so that coming and going are a few instructions; a Set
 * would leave work behind for the garbage collector (see `Deadlines`).
 */
class Registry {
  private readonly live: Array<LiveTraffic> = []
  private readonly shares = new WeakMap<LiveSession, SessionTraffic>()
  readonly notices = new EndNotices(this)

  get all(): ReadonlyArray<LiveTraffic> {
    return this.live
  }

  has(traffic: LiveTraffic): boolean {
    return this.live[traffic.registryIndex] === traffic
  }

  add(traffic: LiveTraffic): void {
    const { session } = traffic
    if (session === undefined) return
    traffic.registryIndex = this.live.push(traffic) - 1
    this.shareOf(session).add(traffic)
    if (session.ended === undefined) return
    traffic.sessionEnded(session.ended)
    if (this.has(traffic)) traffic.othersTold()
  }

  /** `false`: it was not there. */
  remove(traffic: LiveTraffic): boolean {
    if (traffic.session === undefined || !this.has(traffic)) return false
    const last = this.live.pop()
    if (last !== undefined && last !== traffic) {
      this.live[traffic.registryIndex] = last
      last.registryIndex = traffic.registryIndex
    }
    this.shareOf(traffic.session).remove(traffic)
    return true
  }

  /** How many requests of a session are under way. */
  requestsOf(session: LiveSession): number {
    return this.shares.get(session)?.requests ?? 0
  }

  private shareOf(session: LiveSession): SessionTraffic {
    const known = this.shares.get(session)
    if (known !== undefined) return known
    const share = new SessionTraffic(session, this)
    this.shares.set(session, share)
    return share
  }
}

/** WebSockets are closed at least so many milliseconds apart, where the time allowed permits it. */
const closeSpacing = 50

/** How many WebSockets should have been closed by now. A clock says so: timers are late by a millisecond and more. */
class ClosePace {
  private readonly begun = performance.now()
  readonly spacing: number

  constructor(
    private readonly count: number,
    milliseconds: number,
  ) {
    this.spacing = Math.min(closeSpacing, milliseconds / Math.max(1, count))
  }

  due(): number {
    if (this.spacing === 0) return this.count
    return Math.min(this.count, 1 + Math.floor((performance.now() - this.begun) / this.spacing))
  }
}

/** Adds to the numbers of what is over those of what is under way. */
const addLive = (counters: Counters, cells: Cells, live: ReadonlyArray<LiveTraffic>): void => {
  let streaming = 0
  for (const traffic of live) {
    if (traffic.isStreaming) streaming++
    if (traffic.kind === "http") counters.bodyPassed(cells, traffic.bytesIn, traffic.bytesOut)
    else counters.framesPassed(cells, traffic)
  }
  cells.set(catalogue.responsesStreaming.offset, streaming)
}

/** Who is connected to what right now: what drain, kill and any list of live connections read. */
export class Traffic extends Context.Tag("@ss-proxy/Traffic")<
  Traffic,
  {
    /** Registers traffic, for as long as it lives. Plain calls: they stand on the path of every request. */
    readonly open: (traffic: LiveTraffic) => void
    /** Forgets what `open` has registered: it is over. */
    readonly close: (traffic: LiveTraffic) => void
    /** Says when sessions were last active, for what stores and shows it. */
    readonly activity: ActivityRound
    /** How many requests of a session are under way, handshakes of WebSockets included. */
    readonly requestsOf: (session: LiveSession) => number
    /** Whether the proxy is going away, and says so to who asks for its health. */
    readonly isDraining: () => boolean
    readonly startDraining: Effect.Effect<void>
    /** Whether it accepts no more, and closes what is open behind what is under way. */
    readonly isClosing: () => boolean
    /** From here on it does. A plain call: it goes with others of the same turn. */
    readonly startClosing: () => void
    /** How much is under way. */
    readonly count: Effect.Effect<number>
    /** What is under way, in no particular order. */
    readonly live: Effect.Effect<ReadonlyArray<TrafficView>>
    /** The things themselves, as they are at this moment: an array of the caller's own. */
    readonly things: () => ReadonlyArray<LiveTraffic>
    /** Ends what has this serial number, as its `closeNow` does, and gives it; `undefined`: it is not under way. */
    readonly closeNow: (serial: number, close: KillClose) => LiveTraffic | undefined
    /** Completes once nothing is under way. */
    readonly idle: Effect.Effect<void>
    /** Tells every WebSocket to go, one after another, within `milliseconds`. */
    readonly closeWebSockets: (milliseconds: number) => Effect.Effect<void>
    /** Ends everything at once. */
    readonly cutAll: Effect.Effect<void>
  }
>() {
  static readonly layer: Layer.Layer<Traffic, never, ProxyConfig> = Layer.scoped(
    Traffic,
    Effect.gen(function* () {
      let draining = false
      let closing = false
      const counters = yield* Telemetry
      const registry = new Registry()
      const { activityIgnore } = yield* ProxyConfig
      const activity = new ActivityRound(registry.all, (serial) => counters.idOf(serial), targetMatcher(activityIgnore))
      /** Open while nothing is under way. Requests come and go without a fiber: hence its "unsafe" calls, which are no Effects. */
      const idle = yield* Effect.makeLatch(true)

      const open = (traffic: LiveTraffic): void => {
        traffic.serial = counters.nextSerial()
        activity.began(traffic)
        registry.add(traffic)
        // It may be over already, where its session is.
        if (registry.all.length > 0) idle.unsafeClose()
      }
      const close = (traffic: LiveTraffic): void => {
        if (!registry.remove(traffic)) return
        activity.ended(traffic)
        if (registry.all.length === 0) idle.unsafeOpen()
      }

      const closeWebSockets = (milliseconds: number) =>
        Effect.gen(function* () {
          const sockets = registry.all.filter((traffic) => traffic.kind === "websocket")
          const pace = new ClosePace(sockets.length, milliseconds)
          for (let told = 0; told < sockets.length;) {
            const sliceEnd = performance.now() + sliceTime
            const due = pace.due()
            while (told < due && performance.now() < sliceEnd) sockets[told++]?.close()
            yield* Effect.sleep(told < due ? 0 : pace.spacing)
          }
        })

      const cutAll = Effect.sync(() => {
        for (const traffic of Array.from(registry.all)) traffic.cut()
      })

      yield* Effect.addFinalizer(() =>
        Effect.andThen(
          cutAll,
          Effect.sync(() => activity.stop()),
        ),
      )
      const forget = counters.readAlso({
        fill: (cells) => {
          cells.set(catalogue.draining.offset, draining ? 1 : 0)
          addLive(counters, cells, registry.all)
        },
      })
      yield* Effect.addFinalizer(() => Effect.sync(forget))

      return {
        open,
        close,
        activity,
        requestsOf: (session) => registry.requestsOf(session),
        isDraining: () => draining,
        startDraining: Effect.sync(() => {
          draining = true
        }),
        isClosing: () => closing,
        startClosing: () => {
          closing = true
        },
        count: Effect.sync(() => registry.all.length),
        live: Effect.sync(() => registry.all.map(viewOf)),
        things: () => Array.from(registry.all),
        closeNow: (serial, close) => {
          const found = registry.all.find((traffic) => traffic.serial === serial)
          found?.closeNow(close)
          return found
        },
        idle: idle.await,
        closeWebSockets,
        cutAll,
      }
    }),
  )
}
