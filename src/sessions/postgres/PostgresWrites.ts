import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { Turns } from "../../clock/Turns.js"
import {
  forwardingStatuses,
  type Session,
  SessionExists,
  SessionInvalid,
  type SessionsExist,
} from "../../domain/Session.js"
import type { KillClose } from "../../domain/SessionControl.js"
import { SessionNotFound, type StoreUnavailable } from "../../domain/ProxyError.js"
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
import { addAll } from "./PostgresAddAll.js"
import { applySteps } from "./PostgresApply.js"
import * as Changes from "./PostgresChanges.js"
import { forEachPageOf } from "./PostgresPages.js"
import { canBeText, checkStorable, type Store } from "./PostgresStore.js"
import { type Run, transaction } from "./PostgresTransaction.js"

// Rows that are counted by one statement: some ten milliseconds of the server's work.
const talliedAtOnce = 50_000

/** What a slice of the sessions comes to; `last`: the largest id, none where there is no row. */
interface TallySlice {
  readonly count: number
  readonly forwarding: number
  readonly last: string | null
}

const statuses = Array.from(forwardingStatuses, (status) => `'${status}'`).join(", ")

/** Counts sessions, slice by slice in the order of their ids. A row that comes or goes meanwhile is counted, or not. */
const tallyOf = (store: Store) => {
  const statement = `WITH slice AS (
      SELECT session_id::text COLLATE "C" AS id, downstream_server_status AS status FROM ${Changes.sessionsOf(store)}
      WHERE session_id COLLATE "C" > $1 ORDER BY session_id COLLATE "C" LIMIT ${talliedAtOnce}
    ) SELECT count(*)::int AS count, pg_catalog.max(id) AS last,
      (count(*) FILTER (WHERE status IN (${statuses})))::int AS forwarding FROM slice`
  return Effect.gen(function* () {
    let [forwarding, others] = [0, 0]
    for (let last: string | null = ""; last !== null;) {
      const [slice]: ReadonlyArray<TallySlice> = yield* store.ask<TallySlice>(statement, [last])
      forwarding += slice?.forwarding ?? 0
      others += (slice?.count ?? 0) - (slice?.forwarding ?? 0)
      last = slice?.last ?? null
      yield* nextTurn
    }
    return { forwarding, others }
  })
}

const checkText = (sessionId: string, name: string, text: string | undefined) =>
  text === undefined || canBeText(text)
    ? Effect.void
    : new SessionInvalid({ sessionId, problem: `its ${name} has a character that PostgreSQL cannot store` })

const isAddedMeanwhile = (error: unknown): error is Changes.AddedMeanwhile => error instanceof Changes.AddedMeanwhile

export const writes = (store: Store) => {
  const { fault } = store
  const transact = <A, E>(
    change: (run: Run) => Effect.Effect<A, E | SqlError | Changes.AddedMeanwhile>,
  ): Effect.Effect<A, E | StoreUnavailable> =>
    Effect.retry(transaction(store.sql, change, store.changed), { times: 20, while: isAddedMeanwhile }).pipe(
      Effect.mapError((error) => (isAddedMeanwhile(error) ? Changes.ruleOf(store, "keeps changing") : error)),
      fault,
    )
  /** Nobody has a session that cannot be stored. */
  const transactOn = <A, E>(
    id: string,
    change: (run: Run) => Effect.Effect<A, E | SqlError>,
  ): Effect.Effect<A, E | SessionNotFound | StoreUnavailable> =>
    canBeText(id) ? transact(change) : new SessionNotFound({ sessionId: id })
  const checkWhole = (session: NewSession) => Effect.zipRight(checkNew(session), checkStorable(session))

  return {
    forEachPage: <E, R>(
      query: SessionQuery,
      take: (sessions: ReadonlyArray<Session>) => Effect.Effect<boolean, E, R>,
    ) => forEachPageOf(store, query, take),
    tally: tallyOf(store),
    count: Effect.map(
      store.ask<{ readonly count: string }>(`SELECT count(*) AS count FROM ${Changes.sessionsOf(store)}`, []),
      ([row]) => Number(row?.count ?? 0),
    ),
    list: Effect.gen(function* () {
      const all: Array<Session> = []
      yield* forEachPageOf(store, { sort: "id", prefix: "" }, (page) => {
        all.push(...page)
        return Effect.succeed(true)
      })
      return all
    }),
    add: (session: NewSession) =>
      Effect.zipRight(
        checkWhole(session),
        Effect.flatMap(
          transact((run) => Changes.add(run, store, session)),
          (added) => (added === undefined ? new SessionExists({ sessionId: session.id }) : Effect.succeed(added)),
        ),
      ),
    put: <E = never>(session: NewSession, precondition?: Precondition<E>) =>
      Effect.zipRight(
        checkWhole(session),
        transact((run) => Changes.put(run, store, session, precondition)),
      ),
    addAll: (sessions: ReadonlyArray<NewSession>, options: AddAllOptions) =>
      fault<number, SessionsExist | SessionInvalid | StoreUnavailable>(addAll(store, sessions, options)),
    apply: (steps: ReadonlyArray<SessionStep>, options: ApplyOptions) =>
      Effect.gen(function* () {
        const turns = new Turns()
        for (const step of steps) {
          if (step._tag === "Put") yield* checkWhole(step.session)
          yield* turns.pause
        }
        return yield* transact((run) => applySteps(run, store, steps, options))
      }),
    set: <E = never>(id: string, changes: SessionChange, precondition?: Precondition<E>) =>
      checkChange(id, changes).pipe(
        Effect.zipRight(checkText(id, "status", changes.status)),
        Effect.zipRight(transactOn(id, (run) => Changes.change(run, store, id, changes, precondition))),
      ),
    drain: (id: string, grace: number) =>
      Effect.zipRight(
        checkDrain(id, grace),
        transactOn(id, (run) => Changes.drain(run, store, id, grace)),
      ),
    resume: (id: string) => transactOn(id, (run) => Changes.resume(run, store, id)),
    kill: (id: string, close: Partial<KillClose> = {}) =>
      checkKill(id, close).pipe(
        Effect.zipRight(checkText(id, "close reason", close.reason)),
        Effect.zipRight(transactOn(id, (run) => Changes.kill(run, store, id, close))),
      ),
    remove: <E = never>(id: string, precondition?: Precondition<E>) =>
      transactOn(id, (run) => Changes.remove(run, store, id, precondition)),
  }
}
