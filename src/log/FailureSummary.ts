import { detachedText } from "../wire/DetachedCopy.js"

/** A failure that came again and again, and how often since it was told last. */
export interface Repeated {
  /** Absent where too many sessions fail to count each by itself. */
  readonly session: string | undefined
  readonly cause: string
  readonly times: number
  /** Of the last of them. */
  readonly requestId: string
}

interface Entry {
  readonly session: string | undefined
  readonly cause: string
  times: number
  requestId: string
}

/** How many pairs of a session and a cause are counted by themselves. */
const mostCounted = 1_000

/**
 * Keeps a failure that goes on from filling the log: of each session and cause the first is told, then in each round how
 * many more there were. What it remembers is bounded: beyond a thousand pairs, causes are counted for all sessions
 * together; and so are, from the first, failures of the proxy's own, for these a stranger can have for any id.
 */
export class FailureSummary {
  private readonly entries = new Map<string, Entry>()

  /** Whether this failure is the first of its kind, and so to be told by itself. `session`: `undefined` for any. */
  isNews(session: string | undefined, cause: string, requestId: string): boolean {
    const own = this.entries.get(keyOf(session, cause))
    if (own === undefined && this.entries.size < mostCounted) return this.begin(session, cause)
    const entry = own ?? this.entries.get(keyOf(undefined, cause))
    // There are few causes, so that these entries may come on top.
    if (entry === undefined) return this.begin(undefined, cause)
    entry.times++
    entry.requestId = detachedText(requestId)
    return false
  }

  /** Whether there is nothing to count, and no need for rounds. */
  get isEmpty(): boolean {
    return this.entries.size === 0
  }

  /** Ends a round: what came again in it. What did not is forgotten, and news when it comes again. */
  round(): ReadonlyArray<Repeated> {
    const repeated: Array<Repeated> = []
    for (const [key, entry] of this.entries) {
      if (entry.times === 0) this.entries.delete(key)
      else repeated.push({ ...entry })
      entry.times = 0
    }
    return repeated
  }

  /** What is kept must not hold the heads of requests, which ids are pieces of. */
  private begin(named: string | undefined, cause: string): true {
    const session = named === undefined ? undefined : detachedText(named)
    this.entries.set(keyOf(session, cause), { session, cause, times: 0, requestId: "" })
    return true
  }
}

const keyOf = (session: string | undefined, cause: string): string => `${cause} ${session ?? ""}`
