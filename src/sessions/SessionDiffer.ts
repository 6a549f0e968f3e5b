import { Clock, Effect } from "effect"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { Session } from "../domain/Session.js"
import type { SessionRepo } from "./SessionRepo.js"

/** Rows that are read in one turn of the event loop: a millisecond of work at most. */
const sliceSize = 40

/** Of more sessions it is only told that something has changed. */
const mostSessions = 50_000

/** So long it is not looked whether there are still more, in milliseconds: that reads all of these. */
const patience = 60_000

/** What has changed between two looks. */
export type SessionDifference =
  | { readonly _tag: "Nothing" }
  | { readonly _tag: "Changes"; readonly put: ReadonlyArray<Session>; readonly removed: ReadonlyArray<string> }
  /** Something may have, and nobody knows what: list all of them again. */
  | { readonly _tag: "Reset" }

const nothing: SessionDifference = { _tag: "Nothing" }
const reset: SessionDifference = { _tag: "Reset" }

/** A number of 53 bits that another text hardly ever has. */
const fingerprint = (text: string): number => {
  let [high, low] = [0xdeadbeef, 0x41c6ce57]
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    high = Math.imul(high ^ code, 2_654_435_761)
    low = Math.imul(low ^ code, 1_597_334_677)
  }
  return (high >>> 11) * 4_294_967_296 + (low >>> 0)
}

const fingerprintOf = ({ control, createdAt, policy, status, updatedAt, url }: Session): number =>
  fingerprint(JSON.stringify([url, status, policy, control, createdAt, updatedAt]))

/**
 * Finds out which sessions have changed, whoever did it: SQLite does not tell which rows another program has written. Knows of each
 * session its id and a fingerprint. Reads nothing while the store's version stays the same.
 */
export class SessionDiffer {
  private known: ReadonlyMap<string, number> | undefined
  private version: number | undefined
  private hasLooked = false
  /** There are too many, and until this time nothing is read to find out whether there still are; 0: there are not. */
  private tooManyUntil = 0

  /** `prefix`: of the ids that count. */
  constructor(
    private readonly repo: Pick<typeof SessionRepo.Service, "forEachPage" | "version">,
    private readonly prefix = "",
  ) {}

  /** What has changed since the last look; nothing at the first. After one that failed, what was known before does not count. */
  get look(): Effect.Effect<SessionDifference, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const version = yield* this.repo.version()
      if (version === this.version && this.hasLooked) return nothing
      const now = yield* Clock.currentTimeMillis
      if (now < this.tooManyUntil) {
        this.version = version
        return reset
      }
      const found = yield* this.read
      this.tooManyUntil = found === undefined ? now + patience : 0
      const isFirst = !this.hasLooked
      const difference = this.known === undefined || found === undefined ? reset : found.since(this.known)
      this.known = found?.all
      this.version = version
      this.hasLooked = true
      return isFirst ? nothing : difference
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          this.known = undefined
          this.version = undefined
        }),
      ),
    )
  }

  /** All sessions as they are now; `undefined` where there are too many. */
  private get read() {
    return Effect.gen(this, function* () {
      const all = new Map<string, number>()
      const before = this.known
      const put: Array<Session> = []
      const query = { prefix: this.prefix, sort: "id", pageSize: sliceSize } as const
      yield* this.repo.forEachPage(query, (page) =>
        Effect.sync(() => {
          for (const session of page) {
            const own = fingerprintOf(session)
            all.set(session.id, own)
            if (before !== undefined && before.get(session.id) !== own) put.push(session)
          }
          return all.size <= mostSessions
        }),
      )
      if (all.size > mostSessions) return undefined
      const since = (known: ReadonlyMap<string, number>): SessionDifference => {
        const removed = Array.from(known.keys()).filter((id) => !all.has(id))
        return put.length === 0 && removed.length === 0 ? nothing : { _tag: "Changes", put, removed }
      }
      return { all, since }
    })
  }
}
