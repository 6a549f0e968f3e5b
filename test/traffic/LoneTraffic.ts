import { LiveSession } from "../../src/sessions/LiveSession.js"
import type { ActiveTraffic } from "../../src/traffic/ActivityRound.js"
import { nowhere } from "../support/Nowhere.js"

/** A lifetime of a session that leads nowhere. */
export const loneSession = (id: string): LiveSession => new LiveSession(id, nowhere)

/** A request or WebSocket without a connection: a test says what has come of it. */
export class LoneTraffic implements ActiveTraffic {
  readonly serial = 7
  readonly requestId = "r"
  readonly byHost = false
  readonly clientAddress = "192.0.2.1"
  readonly begun = performance.now()
  bytesIn = 0
  bytesOut = 0
  dataFrames = 0
  pings = 0
  isServed: boolean
  hasFailed = false
  clientSignsSeen = 0
  serverSignsSeen: number
  activeAt = 0
  isIgnored = false

  constructor(
    readonly session: LiveSession,
    readonly kind: "http" | "websocket",
    readonly target = `/${session.id}/`,
  ) {
    this.isServed = kind === "websocket"
    this.serverSignsSeen = kind === "http" ? -1 : 0
  }

  get clientSigns(): number {
    return this.bytesIn
  }

  get serverSigns(): number {
    return this.bytesOut
  }
}
