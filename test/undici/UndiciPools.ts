import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { LiveSession, SessionListener } from "../../src/sessions/LiveSession.js"
import type { Dialer } from "../../src/downstream/Dial.js"
import { UndiciLane } from "./UndiciLane.js"

/** The idle lanes of one lifetime of a session: last in, first out. Exists as long as there are any. */
class IdleLanes implements SessionListener {
  readonly lanes: Array<UndiciLane> = []

  constructor(
    readonly session: LiveSession,
    private readonly ended: (idle: IdleLanes) => void,
  ) {}

  readonly sessionEnded = (): void => {
    this.ended(this)
  }
}

/** undici's connections to the servers of sessions, pooled for each lifetime of a session as our own are. */
export class UndiciPools {
  private readonly all = new Map<UndiciLane, LiveSession>()
  private readonly idle = new Map<LiveSession, IdleLanes>()
  private closed = false

  constructor(
    private readonly dialer: Dialer,
    private readonly settings: Pick<ProxySettings, "poolIdleTimeout" | "poolIdleConnections">,
  ) {}

  /** A lane with an idle connection of this lifetime, or a new one. */
  take(session: LiveSession): UndiciLane {
    const idle = this.idle.get(session)
    const lane = idle?.lanes.pop()
    if (idle === undefined || lane === undefined) return this.open(session)
    this.retireEmpty(idle)
    return lane
  }

  /** A new lane, which connects when a request is sent on it. */
  open(session: LiveSession): UndiciLane {
    const lane = new UndiciLane(session.target, this.dialer, this.settings, this.disconnected)
    this.all.set(lane, session)
    return lane
  }

  /** Takes a lane back on which a response is complete. undici knows a moment later whether it keeps the connection. */
  give(lane: UndiciLane): void {
    queueMicrotask(() => this.keep(lane))
  }

  /** Closes a lane. */
  destroy(lane: UndiciLane): void {
    this.all.delete(lane)
    lane.destroy()
  }

  /** Closes every connection. */
  close(): void {
    this.closed = true
    for (const idle of this.idle.values()) this.empty(idle)
    for (const lane of this.all.keys()) this.destroy(lane)
  }

  private keep(lane: UndiciLane): void {
    const session = this.all.get(lane)
    if (session === undefined) return
    const { poolIdleTimeout, poolIdleConnections } = this.settings
    const lanes = this.idle.get(session)?.lanes.length ?? 0
    const isWanted = !this.closed && session.ended === undefined && poolIdleTimeout > 0 && lanes < poolIdleConnections
    if (isWanted && lane.isOpen) this.idleOf(session).lanes.push(lane)
    else this.destroy(lane)
  }

  private readonly disconnected = (lane: UndiciLane): void => {
    const session = this.all.get(lane)
    const idle = session === undefined ? undefined : this.idle.get(session)
    const index = idle?.lanes.indexOf(lane) ?? -1
    if (idle === undefined || index < 0) return
    idle.lanes.splice(index, 1)
    this.destroy(lane)
    this.retireEmpty(idle)
  }

  private idleOf(session: LiveSession): IdleLanes {
    const known = this.idle.get(session)
    if (known !== undefined) return known
    const idle = new IdleLanes(session, (ended) => this.empty(ended))
    this.idle.set(session, idle)
    session.attach(idle)
    return idle
  }

  private empty(idle: IdleLanes): void {
    for (const lane of idle.lanes.splice(0)) this.destroy(lane)
    this.retireEmpty(idle)
  }

  private retireEmpty(idle: IdleLanes): void {
    if (idle.lanes.length > 0) return
    this.idle.delete(idle.session)
    idle.session.detach(idle)
  }
}
