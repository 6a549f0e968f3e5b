import type { SqlError } from "@effect/sql/SqlError"
import { Array as Arr, Effect } from "effect"
import { Turns } from "../../clock/Turns.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { type SessionInvalid, SessionsExist } from "../../domain/Session.js"
import type { AddAllOptions, NewSession } from "../SessionRepo.js"
import { checkNew } from "../SessionRules.js"
import { sessionsOf } from "./PostgresChanges.js"
import { isKeyConflict } from "./PostgresFault.js"
import { rowsAtOnce, writeMany } from "./PostgresMany.js"
import { checkStorable, type Store } from "./PostgresStore.js"
import { type Run, runOn, transaction } from "./PostgresTransaction.js"

/** Everybody locks rows in this order, so that two who write the same ones do not wait for each other. */
const byId = (one: NewSession, other: NewSession): number => (one.id < other.id ? -1 : 1)

/** Those of these ids that are stored, in their order. */
const presentOf = (run: Run, store: Store, slices: ReadonlyArray<ReadonlyArray<NewSession>>) =>
  Effect.gen(function* () {
    const present: Array<string> = []
    for (const slice of slices) {
      const ids = slice.map(({ id }) => id)
      const statement = `SELECT session_id::text AS id FROM ${sessionsOf(store)} WHERE session_id = ANY ($1::text[])`
      const found = yield* run<{ readonly id: string }>(statement, [ids])
      const stored = new Set(found.map(({ id }) => id))
      present.push(...ids.filter((id) => stored.has(id)))
    }
    return present
  })

const refuse = (ids: ReadonlyArray<string>): Effect.Effect<void, SessionsExist> =>
  Arr.isNonEmptyReadonlyArray(ids) ? new SessionsExist({ sessionIds: ids }) : Effect.void

/**
 * Stores sessions in one transaction, for `SessionRepo.addAll`. Whoever writes one of them waits meanwhile; others do not.
 */
export const addAll = (
  store: Store,
  sessions: ReadonlyArray<NewSession>,
  { replace, watcher }: AddAllOptions,
): Effect.Effect<number, SessionsExist | SessionInvalid | StoreUnavailable | SqlError> => {
  const { bulk } = store
  const run = runOn(bulk)
  const slices = Arr.chunksOf(sessions.toSorted(byId), rowsAtOnce)
  const refusePresent = Effect.flatMap(presentOf(run, store, slices), refuse)
  const writing = transaction(
    bulk,
    (run) =>
      Effect.gen(function* () {
        let [written, replaced] = [0, 0]
        for (const slice of slices) {
          replaced += yield* writeMany(run, store, slice, replace)
          written += slice.length
          watcher?.written(written)
        }
        return replaced
      }),
    (replaced) => {
      store.changed()
      watcher?.committed(replaced)
    },
  )
  return Effect.gen(function* () {
    const turns = new Turns()
    for (const session of sessions) {
      yield* checkNew(session)
      yield* checkStorable(session)
      yield* turns.pause
    }
    if (replace) return yield* writing
    yield* refusePresent
    // Another program may have added one of the ids since the check.
    return yield* Effect.catchIf(writing, isKeyConflict, (error) => Effect.zipRight(refusePresent, Effect.fail(error)))
  })
}
