/** What was the last sign of activity: a request, something on a WebSocket, or `sessions touch`. */
export type ActivityKind = "request" | "websocket" | "touch"

const kinds: ReadonlyArray<unknown> = ["request", "websocket", "touch"] satisfies ReadonlyArray<ActivityKind>

const isKind = (kind: unknown): kind is ActivityKind => kinds.includes(kind)

/** The kind that a store has; `undefined` for what is none, whoever wrote it. */
export const activityKindOf = (stored: unknown): ActivityKind | undefined => (isKind(stored) ? stored : undefined)

/** When a session was last active. Whole milliseconds since the epoch; 0 is never. */
export interface ActivityTimes {
  /** When the last request began that the session's server answered, handshakes of WebSockets included. */
  readonly lastRequestAt: number
  /** When its clients last sent something: such a request, bytes of a body, data frames; or when it was touched. */
  readonly lastClientAt: number
  /** When its server last sent something: an answer, bytes of a body, data frames. */
  readonly lastServerAt: number
  readonly lastKind: ActivityKind | undefined
}

/** The same of a session that it names. */
export interface StoredActivity extends ActivityTimes {
  readonly sessionId: string
}

/** The last of the three times; 0 is never. */
export const latestOf = ({ lastRequestAt, lastClientAt, lastServerAt }: ActivityTimes): number =>
  Math.max(lastRequestAt, lastClientAt, lastServerAt)

/** Of each time the later one, so that it does not matter who tells what first. */
export const mergedTimes = (one: ActivityTimes, other: ActivityTimes): ActivityTimes => ({
  lastRequestAt: Math.max(one.lastRequestAt, other.lastRequestAt),
  lastClientAt: Math.max(one.lastClientAt, other.lastClientAt),
  lastServerAt: Math.max(one.lastServerAt, other.lastServerAt),
  lastKind: latestOf(one) >= latestOf(other) ? one.lastKind : other.lastKind,
})

/** The times of a session that was never active. */
export const neverActive: ActivityTimes = { lastRequestAt: 0, lastClientAt: 0, lastServerAt: 0, lastKind: undefined }

/** Milliseconds since the epoch of a time as SQLite's CURRENT_TIMESTAMP writes it; `undefined` for anything else. */
export const millisecondsOf = (timestamp: string | null): number | undefined => {
  if (timestamp === null || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(timestamp)) return undefined
  const found = Date.parse(`${timestamp.replace(" ", "T")}Z`)
  return Number.isNaN(found) ? undefined : found
}

/**
 * Since when a session has been idle, in milliseconds since the epoch: since it was last active, or since its row was made
 * where that is later, for what is older may be of an earlier session of this id. `undefined` where it was never active and
 * its row does not say when it was made.
 */
export const idleSince = (createdAt: string | null, times: ActivityTimes): number | undefined => {
  const latest = Math.max(latestOf(times), millisecondsOf(createdAt) ?? 0)
  return latest === 0 ? undefined : latest
}

/** For how long that is, in milliseconds; never negative, also where the clock was set back. */
export const idleTime = (since: number, now: number): number => Math.max(0, now - since)

/** A time that is so far ahead of the clock, in milliseconds, is of one that was wrong. */
export const farAhead = 86_400_000

/** The later one stays, so that a clock that is set back makes nobody idle; but one that is far ahead of it gives way. */
const later = (known: number, at: number, now: number): number => (known > now + farAhead ? at : Math.max(known, at))

/** What is stored of a session when `given` is written over `known`, at this time of the clock: of each time the later one, by that rule. */
export const storedTimes = (known: ActivityTimes, given: ActivityTimes, now: number): ActivityTimes => {
  const latest = latestOf(known)
  return {
    lastRequestAt: later(known.lastRequestAt, given.lastRequestAt, now),
    lastClientAt: later(known.lastClientAt, given.lastClientAt, now),
    lastServerAt: later(known.lastServerAt, given.lastServerAt, now),
    lastKind: latest > latestOf(given) && latest <= now + farAhead ? known.lastKind : given.lastKind,
  }
}

/**
 * The numbers of one session id, as far as this process has seen it: plain additions on the path of every request. One
 * lifetime hands it to the next of its id, so a session that moves to another server keeps it; one that was seen
 * removed begins anew.
 */
export class SessionActivity implements StoredActivity {
  /** Requests that named it while it was there, handshakes included; those that the proxy answered with an error. */
  requests = 0
  errors = 0
  /** Bytes of bodies and frames of what is over, from clients and to them. */
  bytesIn = 0
  bytesOut = 0
  lastRequestAt = 0
  lastClientAt = 0
  lastServerAt = 0
  lastKind: ActivityKind | undefined
  /** IP address of the client of the last sign of activity. */
  lastClient: string | undefined
  /** What was no activity, of what is over: pings and pongs; requests for paths of `--activity-ignore`. */
  pings = 0
  ignoredRequests = 0

  // What has happened since `ActivityRound` looked last, which alone uses these: nobody looks at a clock before.
  /** When the last request began that counts, by `performance.now()`; 0 for none. */
  requestedAt = 0
  clientSpoke = false
  serverSpoke = false
  /** It is in the list of what is to be looked at; in that of what is to be stored. */
  isNoted = false
  isChanged = false

  constructor(readonly sessionId: string) {}

  /** A request began at this time that its server has answered by `now`. */
  requested(at: number, now: number): void {
    this.lastRequestAt = later(this.lastRequestAt, at, now)
    this.lastClientAt = later(this.lastClientAt, at, now)
  }

  /** A client sent something. */
  clientHeard(at: number): void {
    this.lastClientAt = later(this.lastClientAt, at, at)
  }

  /** The server sent something. */
  serverHeard(at: number): void {
    this.lastServerAt = later(this.lastServerAt, at, at)
  }

  /** Somebody said so. */
  touched(at: number): void {
    this.clientHeard(at)
    this.lastKind = "touch"
  }
}
