import { Array as Arr, Effect, Either, Layer, Option } from "effect"
import { SessionNotFound } from "../domain/ProxyError.js"
import { isForwarding, Session, SessionExists, SessionsExist } from "../domain/Session.js"
import { defaultClose, drainFor, isUnusable, noControl, type SessionControl } from "../domain/SessionControl.js"
import { defaultPolicy } from "../domain/SessionPolicy.js"
import { trimUrl } from "../wire/DownstreamUrl.js"
import { foldedId } from "./FoldedId.js"
import { checkChange, checkDrain, checkKill, checkNew } from "./SessionRules.js"
import {
  type NewSession,
  pageSize,
  type Precondition,
  type SessionChange,
  type SessionQuery,
  SessionRepo,
  type SessionRow,
} from "./SessionRepo.js"
import { type Plan, planSteps } from "./SessionSteps.js"
import { boundTo } from "./UsablePolicy.js"

/**
 * A store in memory that lives as long as the layer: for tests, and for programs that embed the proxy without a file.
 * The `initial` sessions are not checked, like rows that other programs write to a table.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { layerMemory, SessionRepo } from "ss-proxy"
 *
 * const program = Effect.gen(function* () {
 *   const sessions = yield* SessionRepo
 *   yield* sessions.add({ id: "bob", url: "http://127.0.0.1:9001", status: "active" })
 *   console.log(yield* sessions.count)
 * })
 * await Effect.runPromise(Effect.provide(program, layerMemory()))
 * // prints: 1
 * ```
 */
export const layerMemory = (initial: Iterable<NewSession> = []): Layer.Layer<SessionRepo> =>
  Layer.sync(SessionRepo, () => make(initial))

/** The time as SQLite's CURRENT_TIMESTAMP writes it. */
const now = (): string => new Date().toISOString().slice(0, 19).replace("T", " ")

/** SQLite's order of text: by the bytes of UTF-8, not by UTF-16 code units. */
const compareIds = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
const byId = (a: Session, b: Session): number => compareIds(a.id, b.id)

/** The latest first, and those of one time by id. */
const byTime =
  (time: "createdAt" | "updatedAt") =>
  (a: Session, b: Session): number =>
    (b[time] ?? "").localeCompare(a[time] ?? "") || byId(a, b)

const order = { created: byTime("createdAt"), updated: byTime("updatedAt") }

const make = (initial: Iterable<NewSession>): typeof SessionRepo.Service => {
  const rows = new Map<string, Required<SessionRow>>()
  let version = 0
  /** The sessions by their ids, for those who go through all of them; of this version. */
  let ordered: { readonly version: number; readonly sessions: ReadonlyArray<Session> } = { version, sessions: [] }
  const inOrder = (): ReadonlyArray<Session> => {
    if (ordered.version !== version)
      ordered = { version, sessions: Array.from(rows.values(), (row) => row.session).sort(byId) }
    return ordered.sessions
  }

  /** The rows by what their ids are where case does not count; of this version. */
  let folded: { readonly version: number; readonly rows: Map<string, Array<SessionRow>> } | undefined
  const foldedRows = (): Map<string, Array<SessionRow>> => {
    if (folded?.version === version) return folded.rows
    const found = new Map<string, Array<SessionRow>>()
    for (const { id } of inOrder()) {
      const row = rows.get(id)
      const known = found.get(foldedId(id))
      if (row !== undefined && known === undefined) found.set(foldedId(id), [row])
      else if (row !== undefined) known?.push(row)
    }
    folded = { version, rows: found }
    return found
  }

  const insert = ({ policy, ...session }: NewSession): Session => {
    const time = now()
    const own = { policy: { ...defaultPolicy, ...boundTo(session.url, policy) }, control: noControl }
    const whole = { ...session, ...own, createdAt: time, updatedAt: time }
    return store(new Session(whole), String(++version))
  }
  const update = ({ session, incarnation }: Required<SessionRow>, { policy, ...change }: SessionChange): Session => {
    version++
    const bound = boundTo(change.url ?? session.url, policy)
    const changed = { ...session, ...change, policy: { ...session.policy, ...bound }, updatedAt: now() }
    return store(new Session(changed), incarnation)
  }
  const put = (session: NewSession): Session => {
    const row = rows.get(session.id)
    if (row === undefined) return insert(session)
    const fresh = { ...row, session: new Session({ ...row.session, control: noControl }) }
    return update(fresh, { ...session, policy: { ...defaultPolicy, ...session.policy } })
  }
  /** Its own time of change stays, for the session itself does not change. */
  const ask = ({ session, incarnation }: Required<SessionRow>, asked: Partial<SessionControl>): Session => {
    version++
    const control = isUnusable(session.control) ? noControl : session.control
    return store(new Session({ ...session, control: { ...control, ...asked } }), incarnation)
  }
  const killsAfter = ({ session }: Required<SessionRow>): number => Math.max(session.control.kills + 1, Date.now())
  const store = (session: Session, incarnation: string): Session => {
    const url = trimUrl(session.url)
    const trimmed = url === session.url ? session : new Session({ ...session, url })
    rows.set(session.id, { session: trimmed, incarnation })
    return trimmed
  }
  const write = ({ removals, puts }: Plan): void => {
    version++
    for (const id of removals) rows.delete(id)
    for (const session of puts) put(session)
  }
  const listed = (query: SessionQuery): ReadonlyArray<Session> => {
    const { prefix, sort } = query
    const begin = inOrder().filter(({ id }) => id.startsWith(prefix))
    if (sort !== "id") return begin.sort(order[sort])
    const { after, descends } = query
    const isBehind = ({ id }: Session) =>
      after === undefined || (descends === true ? compareIds(id, after) < 0 : compareIds(id, after) > 0)
    const found = begin.filter(isBehind)
    return descends === true ? found.toReversed() : found
  }
  /** A write, in one step with its precondition. */
  const unlessRefused = <A, E, R>(
    id: string,
    precondition: Precondition<E> | undefined,
    write: () => Effect.Effect<A, R>,
  ): Effect.Effect<A, E | R> =>
    Effect.suspend((): Effect.Effect<A, E | R> => {
      const allowed = precondition?.(rows.get(id)?.session) ?? Either.void
      return Either.isLeft(allowed) ? Effect.fail(allowed.left) : write()
    })
  const changed = (id: string, change: (row: Required<SessionRow>) => Session) => {
    const row = rows.get(id)
    return row === undefined ? new SessionNotFound({ sessionId: id }) : Effect.succeed(change(row))
  }
  for (const session of initial) insert(session)

  return {
    find: (id) => Effect.succeed(Option.fromNullable(rows.get(id))),
    findFolded: (id) => Effect.succeed(foldedRows().get(foldedId(id)) ?? []),
    findMany: (ids) => Effect.sync(() => ids.flatMap((id) => rows.get(id) ?? [])),
    count: Effect.sync(() => rows.size),
    tally: Effect.sync(() => {
      const forwarding = Array.from(rows.values()).filter(({ session }) => isForwarding(session.status)).length
      return { forwarding, others: rows.size - forwarding }
    }),
    forEachPage: (query, take) =>
      Effect.gen(function* () {
        for (const page of Arr.chunksOf(listed(query), query.pageSize ?? pageSize)) if (!(yield* take(page))) return
      }),
    apply: (steps, { replace, partly, committed }) =>
      Effect.map(
        Effect.forEach(steps, (step) => (step._tag === "Put" ? checkNew(step.session) : Effect.void), {
          discard: true,
        }),
        () => {
          const plan = planSteps(steps, replace, (id) => rows.has(id))
          const { refused } = plan.applied
          if (refused.length > 0 && !partly) return { added: 0, replaced: 0, removed: 0, absent: 0, refused }
          write(plan)
          committed?.(plan.applied)
          return plan.applied
        },
      ),
    list: Effect.sync(inOrder),
    add: (session) =>
      Effect.flatMap(checkNew(session), () =>
        rows.has(session.id) ? new SessionExists({ sessionId: session.id }) : Effect.succeed(insert(session)),
      ),
    put: (session, precondition) =>
      Effect.zipRight(
        checkNew(session),
        unlessRefused(session.id, precondition, () => Effect.succeed(put(session))),
      ),
    addAll: (sessions, { replace, watcher }) =>
      Effect.flatMap(Effect.forEach(sessions, checkNew, { discard: true }), () => {
        const present = sessions.map(({ id }) => id).filter((id) => rows.has(id))
        if (!replace && Arr.isNonEmptyReadonlyArray(present)) return new SessionsExist({ sessionIds: present })
        for (const session of sessions) put(session)
        watcher?.written(sessions.length)
        watcher?.committed(present.length)
        return Effect.succeed(present.length)
      }),
    set: (id, change, precondition) =>
      Effect.zipRight(
        checkChange(id, change),
        unlessRefused(id, precondition, () => changed(id, (row) => update(row, change))),
      ),
    drain: (id, grace) =>
      Effect.zipRight(
        checkDrain(id, grace),
        Effect.suspend(() => changed(id, (row) => ask(row, { drain: drainFor(Date.now(), grace) }))),
      ),
    resume: (id) => Effect.suspend(() => changed(id, (row) => ask(row, { drain: undefined }))),
    kill: (id, close = {}) =>
      Effect.zipRight(
        checkKill(id, close),
        Effect.suspend(() =>
          changed(id, (row) => ask(row, { kills: killsAfter(row), close: { ...defaultClose, ...close } })),
        ),
      ),
    remove: (id, precondition) =>
      unlessRefused(id, precondition, () =>
        changed(id, ({ session }) => {
          version++
          rows.delete(id)
          return session
        }),
      ),
    version: () => Effect.succeed(version),
  }
}
