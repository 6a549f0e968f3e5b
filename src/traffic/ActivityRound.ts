import { Slices } from "../clock/Slices.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { ActivityKind, SessionActivity } from "../sessions/SessionActivity.js"

/** What a piece of live traffic shows of itself, so that it can be told whether its session is in use. */
export interface ActiveTraffic {
  readonly kind: "http" | "websocket"
  /** Known while it is registered. */
  readonly session: LiveSession | undefined
  /** Number that nothing else of this process has or had. */
  readonly serial: number
  readonly requestId: string
  /** The request target, raw, as latin1. */
  readonly target: string
  /** Its host names the session, and no part of the target does. */
  readonly byHost: boolean
  /** IP address of the client's end of the connection. */
  readonly clientAddress: string
  /** When it began, by `performance.now()`. */
  readonly begun: number
  /** Bytes of body or frames so far, from the client and to it. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Whether it is answered by its session's server: what only the proxy answers is no activity. */
  readonly isServed: boolean
  /** Whether it was answered with an error of the proxy's own, or broken off by anybody but its client. */
  readonly hasFailed: boolean
  /** Numbers that grow with every sign of the client, and of the server: bytes of bodies; data frames and their payload. */
  readonly clientSigns: number
  readonly serverSigns: number
  /** Pings and pongs that have come from either side, which are no such signs. */
  readonly pings: number
  /** What they were at the last look; -1: a request that was not seen answered yet. Private to `ActivityRound`, as all that follows. */
  clientSignsSeen: number
  serverSignsSeen: number
  /** When either grew last, in whole seconds of `performance.now()`; 0 before the first look. */
  activeAt: number
  /** Its path is one that does not count. */
  isIgnored: boolean
}

/** A piece of live traffic as it is shown: a copy. */
export interface OpenTraffic {
  readonly kind: ActivityKind
  /** Names it in this process and any other. */
  readonly id: string
  readonly requestId: string
  readonly client: string
  /** When it began, in milliseconds since the epoch. */
  readonly since: number
  /** How long nothing has passed that counts, in milliseconds; to about a second. */
  readonly silence: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Pings and pongs that have come from either side. */
  readonly pings: number
  /** Its path is one of `--activity-ignore`: nothing of it counts. */
  readonly isIgnored: boolean
}

/** A moment by both clocks. Durations are of `now`, which nobody sets; dates are of `date`. */
interface Moment {
  /** `performance.now()`. */
  readonly now: number
  /** Milliseconds since the epoch. */
  readonly date: number
}

const moment = (): Moment => ({ now: performance.now(), date: Date.now() })

/** The date of what happened at this time of `performance.now()`. */
const dateOf = (then: number, { now, date }: Moment): number => Math.floor(date - Math.max(0, now - then))

const secondOf = (now: number): number => Math.max(1, Math.floor(now / 1_000))

const kindOf = ({ kind }: ActiveTraffic): ActivityKind => (kind === "http" ? "request" : kind)

/** Between two looks, in milliseconds. */
const roundTime = 1_000

/** Of so many sessions what could not be stored is remembered. */
const mostChanged = 100_000

/**
 * Says when sessions were last active. Traffic that ends leaves a note, by a few additions; once a second the notes are dated, and the
 * numbers of all that is under way are compared with those of the last look. So what streams for hours is dated while it does,
 * nobody looks at a clock when a chunk passes, and nothing runs while nothing is under way.
 */
export class ActivityRound {
  private noted: Array<SessionActivity> = []
  private changed: Array<SessionActivity> = []
  private isKept = false
  private readonly slices = new Slices()
  private timer: NodeJS.Timeout | undefined
  /** A round that is not over when the next is due takes its place. */
  private isUnderWay = false

  /**
   * `live`: all that is under way, as it is at any moment. `idOf`: its id, by its serial number. `isIgnored`: by its target, and by what names
   * the session; `undefined` where everything counts.
   */
  constructor(
    private readonly live: ReadonlyArray<ActiveTraffic>,
    private readonly idOf: (serial: number) => string,
    private readonly isIgnored: ((target: string, byHost: boolean) => boolean) | undefined,
  ) {}

  /** It is under way from now on. */
  began(traffic: ActiveTraffic): void {
    const { session } = traffic
    if (session === undefined) return
    if (traffic.kind === "http") session.activity.requests++
    if (this.isIgnored !== undefined) traffic.isIgnored = this.isIgnored(traffic.target, traffic.byHost)
    this.timer ??= setInterval(this.round, roundTime).unref()
  }

  /** It is over. */
  ended(traffic: ActiveTraffic): void {
    const { session } = traffic
    if (session === undefined) return
    const { activity } = session
    activity.bytesIn += traffic.bytesIn
    activity.bytesOut += traffic.bytesOut
    activity.pings += traffic.pings
    if (traffic.hasFailed) activity.errors++
    if (traffic.isIgnored) {
      if (traffic.kind === "http") activity.ignoredRequests++
    } else if (traffic.isServed) {
      this.note(traffic, activity)
    }
  }

  /** Leaves a note of what has happened since the last look. */
  private note(traffic: ActiveTraffic, activity: SessionActivity): void {
    const clientSpoke = traffic.clientSigns !== traffic.clientSignsSeen
    const serverSpoke = traffic.serverSigns !== traffic.serverSignsSeen
    if (!clientSpoke && !serverSpoke) return
    if (traffic.serverSignsSeen < 0) activity.requestedAt = Math.max(activity.requestedAt, traffic.begun)
    if (clientSpoke) activity.clientSpoke = true
    if (serverSpoke) activity.serverSpoke = true
    activity.lastKind = kindOf(traffic)
    activity.lastClient = traffic.clientAddress
    if (activity.isNoted) return
    activity.isNoted = true
    this.noted.push(activity)
  }

  /** Dates what was noted of a session. */
  private date(activity: SessionActivity, at: Moment): void {
    const { requestedAt, clientSpoke, serverSpoke } = activity
    if (requestedAt > 0) activity.requested(dateOf(requestedAt, at), at.date)
    if (clientSpoke) activity.clientHeard(at.date)
    if (serverSpoke) activity.serverHeard(at.date)
    activity.requestedAt = 0
    activity.clientSpoke = false
    activity.serverSpoke = false
    this.hasChanged(activity)
  }

  /**
   * Dates what has happened since the last look at something that is under way. What has come of a request that nobody has answered
   * counts from the second look on: most of it came with its head, and its server may not even be there.
   */
  private look(traffic: ActiveTraffic, at: Moment): void {
    const { session, isServed, serverSignsSeen, clientSigns, serverSigns } = traffic
    if (session === undefined) return
    const isFirst = traffic.activeAt === 0
    const clientSpoke = clientSigns !== traffic.clientSignsSeen && (isServed || !isFirst)
    const serverSpoke = isServed && serverSigns !== serverSignsSeen
    traffic.clientSignsSeen = clientSigns
    if (isServed) traffic.serverSignsSeen = serverSigns
    const isActive = clientSpoke || serverSpoke
    if (isActive || isFirst) traffic.activeAt = secondOf(isActive ? at.now : traffic.begun)
    if (!isActive || traffic.isIgnored) return
    const { activity } = session
    if (isServed && serverSignsSeen < 0) activity.requested(dateOf(traffic.begun, at), at.date)
    if (clientSpoke) activity.clientHeard(at.date)
    if (serverSpoke) activity.serverHeard(at.date)
    activity.lastKind = kindOf(traffic)
    activity.lastClient = traffic.clientAddress
    this.hasChanged(activity)
  }

  private hasChanged(activity: SessionActivity): void {
    if (activity.isChanged || !this.isKept) return
    activity.isChanged = true
    this.changed.push(activity)
  }

  /** Thousands may be under way: a round takes as many turns of the event loop as it needs. */
  private readonly round = (): void => {
    if (this.isUnderWay) return
    if (this.live.length === 0 && this.noted.length === 0) return this.stop()
    const at = moment()
    const noted = this.takeNoted()
    // From the end on: where something ends, the last one takes its place, and that was looked at.
    let next = this.live.length
    this.isUnderWay = true
    const step = (): boolean => {
      const activity = noted.pop()
      const traffic = activity === undefined ? this.live[--next] : undefined
      this.isUnderWay = activity !== undefined || next > 0
      if (activity !== undefined) this.date(activity, at)
      if (traffic !== undefined) this.look(traffic, at)
      return this.isUnderWay
    }
    this.slices.add({ step })
  }

  private takeNoted(): Array<SessionActivity> {
    const { noted } = this
    this.noted = []
    for (const activity of noted) activity.isNoted = false
    return noted
  }

  /** Stops looking; the next traffic begins it again. */
  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** From now on somebody takes what has changed. */
  keep(): void {
    this.isKept = true
  }

  /** How many sessions `takeChanged` has to give, at most. */
  get waiting(): number {
    return this.noted.length + this.changed.length
  }

  /**
   * Sessions whose times have changed since this gave them last, at most so many, so that a turn of the event loop can take it.
   * They are the caller's to store, or to give back.
   */
  takeChanged(most: number): ReadonlyArray<SessionActivity> {
    const at = moment()
    for (const activity of this.noted.splice(0, most)) {
      activity.isNoted = false
      this.date(activity, at)
    }
    const changed = this.changed.splice(0, most)
    for (const activity of changed) activity.isChanged = false
    return changed
  }

  /** They could not be stored: they count as changed again. Those that have waited longest are forgotten where there are too many. */
  giveBack(activities: ReadonlyArray<SessionActivity>): void {
    const since = this.changed
    this.changed = activities.filter(({ isChanged }) => !isChanged)
    for (const activity of this.changed) activity.isChanged = true
    for (const activity of since) this.changed.push(activity)
    for (const activity of this.changed.splice(0, this.changed.length - mostChanged)) activity.isChanged = false
  }

  /** Brings the times of a session up to date with what is over. Those of what is under way are a second old at most. */
  update(activity: SessionActivity): void {
    if (activity.isNoted) this.date(activity, moment())
  }

  /** What is under way of a session at this moment. Its times are up to date then: `known` are the numbers of its id. */
  openOf(sessionId: string, known: SessionActivity | undefined): ReadonlyArray<OpenTraffic> {
    const at = moment()
    if (known?.isNoted === true) this.date(known, at)
    return this.live
      .filter(({ session }) => session?.id === sessionId)
      .map((traffic) => {
        this.look(traffic, at)
        const { requestId, clientAddress: client, bytesIn, bytesOut, pings, isIgnored } = traffic
        const silence = Math.max(0, Math.floor(at.now - traffic.activeAt * 1_000))
        const since = dateOf(traffic.begun, at)
        const [kind, id] = [kindOf(traffic), this.idOf(traffic.serial)]
        return { kind, id, requestId, client, since, silence, bytesIn, bytesOut, pings, isIgnored }
      })
  }
}
