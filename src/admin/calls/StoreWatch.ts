import { Cause, Clock, Duration, Effect, Exit, Fiber, type Scope } from "effect"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import type { SessionRepo, SessionTally } from "../../sessions/SessionRepo.js"
import { lastHeard } from "../fleet/StandingRows.js"

/** Whether the store can be read. Times are milliseconds since the epoch. */
export interface StoreState {
  /** `undefined` where it can. */
  readonly problem: string | undefined
  /** When that was seen last; `undefined` where it never was. */
  readonly lastOkAt: number | undefined
}

/** Looks at the store by itself, for nobody else does while no request comes. */
export interface StoreWatch {
  readonly state: Effect.Effect<StoreState>
  /** How many sessions there are, as far as somebody has counted them; each call sees to it that they are counted anew by and by. */
  readonly tally: Effect.Effect<SessionTally | undefined>
}

/** Sessions are counted at most so often: to count many takes a while. */
const tallyAge = 30_000

/** So long a call waits for the first count; small tables are counted by then. */
const patience = Duration.millis(100)

// No session has this id: whether its row can be looked for tells whether any can.
const nobody = ""

const describe = (cause: Cause.Cause<StoreUnavailable>): string => {
  const error = Cause.squash(cause)
  return error instanceof StoreUnavailable ? error.problem : "it cannot be read"
}

/** A watch of this store. What it counts goes on in the scope. */
export const makeStoreWatch = (repo: typeof SessionRepo.Service): Effect.Effect<StoreWatch, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let lastOkAt: number | undefined
    let counted: SessionTally | undefined
    let begunAt = Number.NEGATIVE_INFINITY
    let counting: Fiber.Fiber<void> | undefined

    const state = Effect.gen(function* () {
      const found = yield* Effect.exit(repo.find(nobody))
      if (Exit.isFailure(found)) return { problem: describe(found.cause), lastOkAt: lastHeard(repo) ?? lastOkAt }
      lastOkAt = yield* Clock.currentTimeMillis
      return { problem: undefined, lastOkAt }
    })

    // A store that cannot be read leaves the last numbers; that it cannot is told otherwise.
    const count = Effect.ignore(Effect.map(repo.tally, (tally) => (counted = tally)))
    const tally = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (now - begunAt >= tallyAge) {
        begunAt = now
        counting = yield* Effect.forkIn(count, scope)
      }
      if (counted === undefined && counting !== undefined) yield* Effect.timeoutOption(Fiber.join(counting), patience)
      return counted
    })
    return { state, tally }
  })
