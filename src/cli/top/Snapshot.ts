/** What a second of traffic came to; `undefined`: nobody knows yet. Times in milliseconds. */
export interface Rates {
  readonly requestsPerSecond: number | undefined
  readonly errorsPerSecond: number | undefined
  readonly bytesInPerSecond: number | undefined
  readonly bytesOutPerSecond: number | undefined
  readonly p50: number | undefined
  readonly p99: number | undefined
}

/** Whether a session takes requests, in one word. */
export type SessionState = "ok" | "failing" | "draining" | "closed"

/** A session, as `top` shows it. */
export interface SessionRow extends Rates {
  readonly id: string
  readonly state: SessionState
  /** What its row says. */
  readonly status: string
  /** When its drain is over, in milliseconds since the epoch; `undefined` where it does not drain. */
  readonly drainingUntil: number | undefined
  readonly requests: number
  readonly streams: number
  readonly websockets: number
  /** The code of its last failure. */
  readonly lastError: string | undefined
  /** What it was more exactly, where its server failed so. */
  readonly lastReason: string | undefined
  /** Whole seconds. */
  readonly idle: number | undefined
}

/** All processes together. */
export interface Totals extends Rates {
  readonly version: string
  readonly processes: number
  /** Those of them that are about to stop. */
  readonly draining: number
  /** Of the one that has run longest, in seconds. */
  readonly uptime: number
  readonly streams: number
  readonly websockets: number
  /** Sessions in the store, or as many as are known of. */
  readonly sessions: number
}

/** What proxies said at one time. */
export interface Snapshot {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly totals: Totals
  readonly sessions: ReadonlyArray<SessionRow>
  /** There are more sessions that fit than were asked for. */
  readonly hasMore: boolean
  /** Proxies that did not answer. */
  readonly missing: ReadonlyArray<string>
  /** When the database was last heard of, where it is away and the rows are what proxies know of them. */
  readonly asOf: number | undefined
}

/** Something that is under way. */
export interface LiveRow {
  readonly id: string
  readonly kind: string
  /** Both in seconds. */
  readonly age: number
  readonly silent: number
  readonly client: string
  readonly bytesIn: number
  readonly bytesOut: number
  /** Method and target, without secrets. */
  readonly request: string
}

/** What sessions are ordered by. */
export const topSorts = ["requests", "p99", "bytes", "errors", "websockets", "idle"] as const
export type TopSort = (typeof topSorts)[number]

const keyOf: Readonly<Record<TopSort, (row: SessionRow) => number | undefined>> = {
  requests: (row) => row.requestsPerSecond,
  p99: (row) => row.p99,
  bytes: ({ bytesInPerSecond, bytesOutPerSecond }) =>
    bytesInPerSecond === undefined ? undefined : bytesInPerSecond + (bytesOutPerSecond ?? 0),
  errors: (row) => row.errorsPerSecond,
  websockets: (row) => row.websockets,
  idle: (row) => row.idle,
}

/** Those whose id has this part, the most first; what is not known comes last, and the same by id. */
export const ordered = (rows: ReadonlyArray<SessionRow>, sort: TopSort, filter: string): ReadonlyArray<SessionRow> => {
  const key = keyOf[sort]
  const valueOf = (row: SessionRow): number => key(row) ?? -1
  return rows
    .filter(({ id }) => id.includes(filter))
    .sort((one, other) => valueOf(other) - valueOf(one) || (one.id < other.id ? -1 : one.id > other.id ? 1 : 0))
}
