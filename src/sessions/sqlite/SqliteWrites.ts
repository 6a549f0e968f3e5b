import { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { Turns } from "../../clock/Turns.js"
import { SessionNotFound, type StoreUnavailable } from "../../domain/ProxyError.js"
import { forwardingStatuses, type Session, SessionExists, SessionInvalid, SessionsExist } from "../../domain/Session.js"
import type { KillClose } from "../../domain/SessionControl.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import type { FollowedFile } from "./FollowedFile.js"
import type {
  AddAllOptions,
  ApplyOptions,
  NewSession,
  Precondition,
  SessionChange,
  SessionQuery,
  SessionStep,
} from "../SessionRepo.js"
import { checkChange, checkDrain, checkKill, checkNew } from "../SessionRules.js"
import { addAll } from "./SqliteAddAll.js"
import { applySteps } from "./SqliteApply.js"
import {
  addStatement,
  checked,
  drain,
  existing,
  forget,
  kill,
  putStatement,
  removeStatement,
  resume,
  returning,
  setStatement,
  writePolicy,
} from "./SqliteChanges.js"
import { type Connections, lockTimeout } from "./SqliteConnections.js"
import { isKeyConflict, storeFault, tableFault, whileBusy } from "./SqliteFault.js"
import { createControlTable, createPolicyTable } from "./SqliteMigrations.js"
import { forEachRowPage } from "./SqlitePages.js"
import { alsoMissing, missingTables, query, type Row, selected, text, toSession } from "./SqliteRows.js"
import { type Run, transaction } from "./SqliteTransaction.js"

const listQuery = query("ORDER BY sessions.session_id")
// Rows that are counted in one turn of the event loop: about a millisecond's work.
const talliedAtOnce = 2_000
const countStatement = "SELECT count(*) AS count FROM sessions"

/** Counts a slice of the sessions, in the order of their ids. */
const tallyStatement = (where: string) => `WITH slice AS (
    SELECT session_id, ${text("downstream_server_status")} AS status FROM sessions ${where}
    ORDER BY session_id LIMIT ${talliedAtOnce}
  ) SELECT count(*) AS count, max(session_id) AS last,
    sum(status IN (${Array.from(forwardingStatuses, (status) => `'${status}'`).join(", ")})) AS forwarding FROM slice`

const firstTallyStatement = tallyStatement("")
const nextTallyStatement = tallyStatement("WHERE session_id > ?")

/** What a slice of the sessions comes to; `last`: the largest id, of whatever type the row has. */
interface TallySlice {
  readonly count: number
  readonly forwarding: number
  readonly last: unknown
}

export const writes = (file: FollowedFile<Connections>, filename: string) => {
  const asFault = storeFault(filename)
  // Unsafe only because it allocates outside of an Effect.
  const oneAtATime = Effect.unsafeMakeSemaphore(1)
  const fault = Effect.mapError(asFault)

  const select = <Found extends object>(statement: string, params: ReadonlyArray<unknown> = []) =>
    Effect.flatMap(file.upToDate, ({ sql }) => sql.unsafe<Found>(statement, params).pipe(whileBusy(lockTimeout)))
  const transact = <A, E>(change: (run: Run) => Effect.Effect<A, E>) =>
    Effect.flatMap(file.upToDate, ({ sql }) =>
      transaction(sql, (run) =>
        run(createPolicyTable, []).pipe(Effect.zipRight(run(createControlTable, [])), Effect.zipRight(change(run))),
      ).pipe(whileBusy(lockTimeout)),
    )

  /** Replaces any session with this id. None of its policies remain, and nothing of what was asked of it. */
  const store = <E = never>(
    statement: string,
    { id, url, status, policy }: NewSession,
    precondition?: Precondition<E>,
  ) =>
    transact((run) =>
      Effect.gen(function* () {
        yield* checked(run, id, precondition)
        const [row] = yield* run<Row>(returning(statement), [id, trimUrl(url), status])
        if (row === undefined) return yield* tableFault(filename, "took a row and did not give it back")
        yield* forget(run, row.id)
        return toSession({ ...row, ...(yield* writePolicy(run, row, policy)) })
      }),
    )
  const change = <E>(id: string, { url, status, policy }: SessionChange, precondition?: Precondition<E>) =>
    transact((run) =>
      Effect.gen(function* () {
        yield* checked(run, id, precondition)
        const [row] = yield* run<Row>(returning(setStatement), [
          url === undefined ? null : trimUrl(url),
          status ?? null,
          id,
        ])
        if (row === undefined) return yield* new SessionNotFound({ sessionId: id })
        yield* writePolicy(run, row, policy)
        return toSession(yield* existing(run, id))
      }),
    )
  const remove = <E>(id: string, precondition?: Precondition<E>) =>
    transact((run) =>
      Effect.gen(function* () {
        yield* checked(run, id, precondition)
        const row = yield* existing(run, id)
        yield* run(removeStatement, [id])
        yield* forget(run, row.id)
        return toSession(row)
      }),
    )
  /** What is not the database's fault stays as it is. */
  const databaseFault = <A, E>(effect: Effect.Effect<A, E | SqlError>): Effect.Effect<A, E | StoreUnavailable> =>
    Effect.mapError(effect, (error) => (error instanceof SqlError ? asFault(error) : error))

  const forEachPage = <E, R>(
    query: SessionQuery,
    take: (sessions: ReadonlyArray<Session>) => Effect.Effect<boolean, E, R>,
  ) =>
    Effect.gen(function* () {
      const { sql } = yield* file.upToDate
      const run = <Found extends object>(statement: string, parameters: ReadonlyArray<unknown>) =>
        whileBusy(lockTimeout)(sql.unsafe<Found>(statement, parameters))
      const missing = yield* fault(missingTables(run))
      yield* forEachRowPage<Row, E, R>(
        (statement, parameters) => fault(run(statement, parameters)),
        selected(missing),
        query,
        (rows) => take(rows.map(toSession)),
      )
    })

  const apply = (steps: ReadonlyArray<SessionStep>, options: ApplyOptions) =>
    Effect.gen(function* () {
      const turns = new Turns()
      for (const step of steps) {
        if (step._tag === "Put") yield* checkNew(step.session)
        yield* turns.pause
      }
      const { sql } = yield* file.upToDate
      return yield* transaction(sql, (run) => applySteps(run, filename, steps, options), options.committed).pipe(
        whileBusy(lockTimeout),
        fault,
      )
    })

  /** A row that comes or goes meanwhile is counted, or not. */
  const tally = Effect.gen(function* () {
    let [forwarding, others] = [0, 0]
    let [slice] = yield* select<TallySlice>(firstTallyStatement)
    while (slice !== undefined && slice.count > 0) {
      forwarding += slice.forwarding
      others += slice.count - slice.forwarding
      yield* nextTurn
      ;[slice] = yield* select<TallySlice>(nextTallyStatement, [slice.last])
    }
    return { forwarding, others }
  })

  /** All sessions, whichever of the proxy's own tables are missing. */
  const listed = (missing: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Row>, StoreUnavailable | SqlError> =>
    Effect.catchAll(select<Row>(listQuery(missing)), (error) => {
      const more = alsoMissing(missing, error)
      return more === undefined ? Effect.fail(error) : listed(more)
    })

  return {
    apply,
    forEachPage,
    tally: fault(tally),
    count: Effect.map(fault(select<{ readonly count: number }>(countStatement)), ([row]) => row?.count ?? 0),
    list: Effect.map(fault(listed([])), (rows) => rows.map(toSession)),
    add: (session: NewSession) =>
      Effect.zipRight(
        checkNew(session),
        Effect.mapError(store(addStatement, session), (error) =>
          isKeyConflict(error) ? new SessionExists({ sessionId: session.id }) : asFault(error),
        ),
      ),
    put: <E = never>(session: NewSession, precondition?: Precondition<E>) =>
      Effect.zipRight(checkNew(session), databaseFault(store(putStatement, session, precondition))),
    addAll: (sessions: ReadonlyArray<NewSession>, options: AddAllOptions) =>
      Effect.flatMap(file.upToDate, ({ sql }) => addAll(sql, filename, lockTimeout, sessions, options)).pipe(
        oneAtATime.withPermits(1),
        Effect.mapError((error) =>
          error instanceof SessionsExist || error instanceof SessionInvalid ? error : asFault(error),
        ),
      ),
    set: <E = never>(id: string, changes: SessionChange, precondition?: Precondition<E>) =>
      Effect.zipRight(checkChange(id, changes), databaseFault(change(id, changes, precondition))),
    drain: (id: string, grace: number) =>
      Effect.zipRight(checkDrain(id, grace), databaseFault(transact((run) => drain(run, id, grace)))),
    resume: (id: string) => databaseFault(transact((run) => resume(run, id))),
    kill: (id: string, close: Partial<KillClose> = {}) =>
      Effect.zipRight(checkKill(id, close), databaseFault(transact((run) => kill(run, id, close)))),
    remove: <E = never>(id: string, precondition?: Precondition<E>) => databaseFault(remove(id, precondition)),
  }
}
