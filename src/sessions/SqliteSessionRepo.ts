import { layer as layerReactivity, Reactivity } from "@effect/experimental/Reactivity"
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { make as makeClient } from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, ExecutionStrategy, Exit, Layer, Option, Schedule, Scope } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { Turns } from "../clock/Turns.js"
import { policyRows } from "../domain/Policies.js"
import { SessionNotFound, StoreUnavailable } from "../domain/ProxyError.js"
import { forwardingStatuses, Session, SessionExists, SessionInvalid, SessionsExist } from "../domain/Session.js"
import {
  type ControlColumns,
  controlColumns,
  controlOfColumns,
  drainFor,
  type KillClose,
  noControl,
} from "../domain/SessionControl.js"
import { policyOfColumns, type SessionPolicy } from "../domain/SessionPolicy.js"
import { companionsOf, placeOf } from "./FilePlace.js"
import { FollowedFile } from "./FollowedFile.js"
import {
  type AddAllOptions,
  type ApplyOptions,
  type NewSession,
  type Precondition,
  type SessionChange,
  type SessionQuery,
  SessionRepo,
  type SessionRow,
  type SessionStep,
} from "./SessionRepo.js"
import { millisecondsOf } from "./SessionActivity.js"
import { checkChange, checkDrain, checkKill, checkNew } from "./SessionRules.js"
import { addAll, putConflict, sessionColumns } from "./SqliteAddAll.js"
import { applySteps } from "./SqliteApply.js"
import { Sqlite } from "./SqliteDriver.js"
import { isBusy, isKeyConflict, missingOwnTable, storeFault, tableFault, whileBusy } from "./SqliteFault.js"
import { controlTable, createControlTable, createPolicyTable, policyTable } from "./SqliteMigrations.js"
import { forEachRowPage, type Selected } from "./SqlitePages.js"
import { usablePath } from "./SqlitePath.js"
import { checkTable, createSchema, noTable } from "./SqliteSchema.js"
import { type Run, transaction } from "./SqliteTransaction.js"

export interface SqliteOptions {
  /** Path of the database. A missing file is made, a missing folder is not. */
  readonly filename: string
  /**
   * Makes and changes nothing, not even the journal mode: for listing the sessions of a file that must not be written.
   */
  readonly readonly?: boolean
}

/** Sessions in an SQLite file that other programs read and write at the same time. */
export const layerSqlite = (options: SqliteOptions): Layer.Layer<SessionRepo, StoreUnavailable> =>
  Layer.scoped(SessionRepo, make(options.filename, options.readonly ?? false)).pipe(Layer.provide(layerReactivity))

// Time limits of waiting for a lock of another program, in milliseconds: at the start and for a write, and for a
// request.
const lockTimeout = 5_000
const requestLockTimeout = 2_000
// Time limit, in milliseconds, for another proxy to notice that its file is gone and to close it.
const closeTimeout = 2_500

// SQLite stores a value with its own type, whatever the column's type is. So all columns are read as text.
const text = (column: string) => `ifnull(CAST(${column} AS TEXT), '')`
const columns = `${text("sessions.session_id")} AS id, ${text("downstream_server_url")} AS url,
  ${text("downstream_server_status")} AS status,
  CAST(created_at AS TEXT) AS createdAt, CAST(updated_at AS TEXT) AS updatedAt`
const policyColumns = Object.entries(policyRows)
  .map(([name, { column }]) => `CAST(${policyTable}.${column} AS TEXT) AS ${name}`)
  .join(", ")
const controlTexts = Object.entries(controlColumns)
  .map(([name, column]) => `CAST(${controlTable}.${column} AS TEXT) AS ${name}`)
  .join(", ")

/** The proxy's own tables, and what is selected of them. Each may be missing. */
const ownTables: ReadonlyArray<readonly [name: string, columns: string]> = [
  [policyTable, policyColumns],
  [controlTable, controlTexts],
]

/** What is selected of sessions and of the proxy's own tables, but for tables that are missing. */
const selected = (missing: ReadonlyArray<string>): Selected => {
  const present = ownTables.filter(([name]) => !missing.includes(name))
  const joins = present.map(([name]) => `LEFT JOIN ${name} ON ${name}.session_id = sessions.session_id`)
  return {
    columns: [columns, ...present.map(([, texts]) => texts)].join(", "),
    from: `sessions ${joins.join(" ")}`,
  }
}

/** A SELECT of sessions with what the proxy's own tables have of them, but for tables that are missing. */
const query =
  (rest: string) =>
  (missing: ReadonlyArray<string>): string => {
    const { columns, from } = selected(missing)
    return `SELECT ${columns} FROM ${from} ${rest}`
  }

const findQuery = query("WHERE sessions.session_id = ?")
const listQuery = query("ORDER BY sessions.session_id")
const findStatement = findQuery([])
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
const addStatement = `INSERT INTO sessions ${sessionColumns} VALUES (?, ?, ?)`
const putStatement = `${addStatement} ${putConflict}`
const setStatement = `UPDATE sessions SET
  downstream_server_url = coalesce(?, downstream_server_url),
  downstream_server_status = coalesce(?, downstream_server_status), updated_at = CURRENT_TIMESTAMP
  WHERE session_id = ?`
const removeStatement = "DELETE FROM sessions WHERE session_id = ?"
const returning = (statement: string) => `${statement} RETURNING ${columns}`

const findPolicyStatement = `SELECT ${policyColumns} FROM ${policyTable} WHERE session_id = ?`
const forgetPolicyStatement = `DELETE FROM ${policyTable} WHERE session_id = ?`
const forgetControlStatement = `DELETE FROM ${controlTable} WHERE session_id = ?`
// The number is never one that was there before, also where the row was deleted in between: then another process, which has
// not looked meanwhile, would miss this kill.
const killStatement = `INSERT INTO ${controlTable} (session_id, kills, kill_code, kill_reason) VALUES (?, ?, ?, ?)
  ON CONFLICT (session_id) DO UPDATE SET
  kills = max(excluded.kills, CASE WHEN kills < ${Number.MAX_SAFE_INTEGER} THEN CAST(kills AS INTEGER) + 1 ELSE 0 END),
  kill_code = excluded.kill_code, kill_reason = excluded.kill_reason`
const drainStatement = `INSERT INTO ${controlTable} (session_id, drain_since, drain_until) VALUES (?, ?, ?)
  ON CONFLICT (session_id) DO UPDATE SET drain_since = excluded.drain_since, drain_until = excluded.drain_until`
const resumeStatement = `UPDATE ${controlTable} SET drain_since = NULL, drain_until = NULL WHERE session_id = ?`
const policyStatement = (column: string) => `INSERT INTO ${policyTable} (session_id, ${column}) VALUES (?, ?)
  ON CONFLICT (session_id) DO UPDATE SET ${column} = excluded.${column}`

/** The texts of a row of policies, by the names of the policies. */
type PolicyRow = Readonly<Record<keyof SessionPolicy, string | null>>

/** A row of `sessions`, with what the proxy's own tables have of it if that was selected and exists. */
interface Row extends Partial<PolicyRow>, Partial<ControlColumns> {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly createdAt: string | null
  readonly updatedAt: string | null
}

// No validation: the casts in the statements guarantee the types.
const toSession = ({ id, url, status, createdAt, updatedAt, ...own }: Row): Session =>
  new Session(
    { id, url, status, policy: policyOfColumns(own), control: controlOf(own, createdAt), createdAt, updatedAt },
    { disableValidation: true },
  )

/** What was asked of a session. Most sessions have no row of it. */
const controlOf = (own: Partial<ControlColumns>, createdAt: string | null) => {
  const { drainSince = null, drainUntil = null, killCode = null, killReason = null, kills = null } = own
  if (kills === null && drainSince === null && drainUntil === null && killCode === null && killReason === null)
    return noControl
  return controlOfColumns({ kills, killCode, killReason, drainSince, drainUntil }, millisecondsOf(createdAt))
}

/** The open connections of one file. */
interface Connections {
  readonly sql: SqlClient
  /** Closes `sql` but not `reader`. */
  readonly sqlScope: Scope.CloseableScope
  readonly reader: Reader
}

const make = (
  filename: string,
  readonly: boolean,
): Effect.Effect<typeof SessionRepo.Service, StoreUnavailable, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const path = yield* usablePath(filename, readonly)
    if (!readonly) yield* waitForStaleCompanions(path)
    const reactivity = yield* Reactivity
    const open = (first: boolean): Effect.Effect<Connections, StoreUnavailable, Scope.Scope> =>
      Effect.gen(function* () {
        // The file may have been replaced by anything.
        if (!first) yield* usablePath(filename, readonly)
        const sqlScope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
        const sql = yield* Scope.extend(
          openClient(path, filename, readonly ? "readonly" : first ? "make" : "follow"),
          sqlScope,
        )
        const reader = yield* openReader(path, filename, readonly || (yield* isWalMode(sql, filename)))
        return { sql, sqlScope, reader }
      }).pipe(Effect.provideService(Reactivity, reactivity))
    const file = yield* FollowedFile.open({
      path,
      filename,
      open,
      checkpoint: checkpoint(filename),
      usesWal: ({ reader }) => reader.usesWal(),
      // Only the connection that closes last runs the checkpoint. That is then `reader`, which cannot write.
      discardWal: ({ sqlScope }) => Scope.close(sqlScope, Exit.void),
    })
    return { ...reads(file, filename), ...writes(file, filename) }
  })

/**
 * If a file was removed while a proxy had it open, waits until that proxy has closed it, which takes about a second.
 * Until then the old WAL and its index are beside the path, and SQLite would use them with the new file. Companions
 * that a crash left are harmless but look the same, so the wait has a limit.
 */
const waitForStaleCompanions = (path: string): Effect.Effect<void> => {
  const areLeft = () => placeOf(path) === "nothing" && companionsOf(path).some((place) => place !== "nothing")
  return Effect.repeat(Effect.sync(areLeft), {
    while: (left) => left,
    schedule: Schedule.spaced(25).pipe(Schedule.upTo(closeTimeout)),
  }).pipe(Effect.asVoid)
}

const isWalMode = (sql: SqlClient, filename: string): Effect.Effect<boolean, StoreUnavailable> =>
  sql
    .unsafe<{ journal_mode: string }>("PRAGMA journal_mode")
    .pipe(Effect.mapBoth({ onFailure: storeFault(filename), onSuccess: ([mode]) => mode?.journal_mode === "wal" }))

/** Checkpoints the WAL into the file, and truncates it. */
const checkpoint =
  (filename: string) =>
  ({ sql }: Connections): Effect.Effect<void, StoreUnavailable> =>
    sql.unsafe<{ busy: number }>("PRAGMA wal_checkpoint(TRUNCATE)").pipe(
      Effect.mapError(storeFault(filename)),
      Effect.flatMap(([result]) => (result?.busy === 1 ? stillInUse(filename) : Effect.void)),
    )

const stillInUse = (filename: string) =>
  new StoreUnavailable({
    problem: `${filename} is another file now, and a program still reads the old one`,
    hint: "End the transactions of programs that have the old file open.",
  })

/** The connection for writes and for reads that no request waits for. Its table has been checked. */
const openClient = (path: string, filename: string, how: "readonly" | "make" | "follow") =>
  Effect.gen(function* () {
    const readonly = how === "readonly"
    // The client caches no statements, because it would also cache a failure to prepare one, such as "locked";
    // `SqliteDriver` caches them instead. `prepareFile` sets the journal mode, because the client's own switch would
    // block the event loop while the file is locked.
    const options = { filename: path, readonly, disableWAL: true, prepareCacheTTL: 0 }
    // The client lets exceptions of the driver through as defects.
    const sql = yield* makeClient(options).pipe(Effect.catchAllDefect(Effect.fail))
    yield* sql`PRAGMA busy_timeout = 0`
    yield* whileBusy(how === "follow" ? requestLockTimeout : lockTimeout)(
      Effect.gen(function* () {
        // A file that replaces another may still be incomplete, so no table is made in it.
        if (how !== "make") yield* requireTable(sql, filename)
        if (how !== "readonly") yield* prepareFile(sql, filename)
      }),
    )
    return sql
  }).pipe(Effect.mapError(storeFault(filename)))

const requireTable = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.flatMap(checkTable(sql, filename), (table) => (table === "absent" ? noTable(filename) : Effect.void))

const prepareFile = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    yield* checkTable(sql, filename)
    // In WAL mode readers and a writer do not block each other. A file that is in use keeps its mode, which is no
    // failure.
    yield* Effect.ignore(sql`PRAGMA journal_mode = WAL`)
    // A power failure may then lose the last commits, but does not corrupt the file.
    yield* sql`PRAGMA synchronous = NORMAL`
    yield* createSchema(sql, filename)
  })

/**
 * The second connection, for the reads of requests. It sees commits of the first connection like those of any other. It
 * is better-sqlite3 itself and not a client of @effect/sql, because a request would need a fiber for that: many times
 * the cost of the query itself (docs/ARCHITECTURE.md has the figures).
 */
interface Reader {
  readonly find: (id: string) => Row | undefined
  readonly version: Sqlite.Statement<[], number>
  /**
   * Whether the connection uses a WAL; also true if SQLite cannot tell, because another program has damaged the file.
   */
  readonly usesWal: () => boolean
}

const openReader = (
  path: string,
  filename: string,
  readonly: boolean,
): Effect.Effect<Reader, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    // Recovery after a crashed writer: in WAL mode a read-only connection can do it, because it only rebuilds the WAL
    // index. In another mode a hot journal must be rolled back, which needs a connection that can write.
    const open = Effect.try({ try: () => new Sqlite(path, { readonly, timeout: 0 }), catch: storeFault(filename) })
    const database = yield* Effect.acquireRelease(open, (opened) => Effect.sync(() => opened.close()))
    return yield* Effect.try({
      try: () => {
        const find = finder(database)
        // SQLite opens its files at the first read. Do that now: later the process may have no free descriptor.
        find("")
        const journalMode = database.prepare<[], string>("PRAGMA journal_mode").pluck()
        return {
          find,
          version: database.prepare<[], number>("PRAGMA data_version").pluck(),
          usesWal: () => {
            try {
              return journalMode.get() === "wal"
            } catch {
              return true
            }
          },
        }
      },
      catch: (error) => error,
    }).pipe(whileBusy(lockTimeout), Effect.mapError(storeFault(filename)))
  })

/**
 * Finds a row and what the proxy's own tables have of it with one statement. SQLite prepares it again by itself after a
 * schema change.
 */
const finder = (database: Sqlite.Database): Reader["find"] => {
  const statements = new Map<string, Sqlite.Statement<[id: string], Row>>()
  const prepared = (statement: string) => {
    const known = statements.get(statement)
    if (known !== undefined) return known
    const made = database.prepare<[id: string], Row>(statement)
    statements.set(statement, made)
    return made
  }
  const find = (id: string, statement: string, missing: ReadonlyArray<string>): Row | undefined => {
    try {
      return prepared(statement).get(id)
    } catch (error) {
      const more = alsoMissing(missing, error)
      if (more === undefined) throw error
      return find(id, findQuery(more), more)
    }
  }
  return (id) => find(id, findStatement, [])
}

/** The tables to do without, where this error says that one more is missing. */
const alsoMissing = (missing: ReadonlyArray<string>, error: unknown): ReadonlyArray<string> | undefined => {
  const table = missingOwnTable(error)
  return table === undefined || missing.includes(table) ? undefined : [...missing, table]
}

/** Those of the proxy's own tables that are not there. */
const missingTables = <E>(
  run: (statement: string, parameters: ReadonlyArray<unknown>) => Effect.Effect<unknown, E>,
): Effect.Effect<ReadonlyArray<string>, E> =>
  Effect.filter(
    ownTables.map(([name]) => name),
    (name) =>
      run(`SELECT 1 FROM ${name} LIMIT 0`, []).pipe(
        Effect.as(false),
        Effect.catchAll((error) => (missingOwnTable(error) === name ? Effect.succeed(true) : Effect.fail(error))),
      ),
  )

/**
 * The reads that requests wait for. They run synchronously (microseconds) and return `Exit` values, so the caller
 * continues in the same turn without a fiber. They take longer only if the file has been replaced or is locked.
 */
const reads = (file: FollowedFile<Connections>, filename: string) => {
  const fault = storeFault(filename)
  /**
   * Counts the changes seen. SQLite's own version does not suffice: that of a replacing file may equal that of the old
   * one.
   */
  let version = 0
  let lastSeen: { readonly reader: Reader; readonly version: number } | undefined

  const retryWhileBusy = <A>(query: () => A): Effect.Effect<A, StoreUnavailable> =>
    Effect.try({ try: query, catch: (error) => error }).pipe(whileBusy(requestLockTimeout), Effect.mapError(fault))
  const runNow = <A>(query: () => A): Effect.Effect<A, StoreUnavailable> => {
    try {
      return Effect.succeed(query())
    } catch (error) {
      return isBusy(error) ? retryWhileBusy(query) : Effect.fail(fault(error))
    }
  }
  const runQuery = <A>(query: (reader: Reader) => A): Effect.Effect<A, StoreUnavailable> => {
    const { current } = file
    if (current !== undefined) return runNow(() => query(current.reader))
    return Effect.flatMap(file.reopened, ({ reader }) => runNow(() => query(reader)))
  }
  const versionOf = (reader: Reader): Effect.Effect<number, StoreUnavailable> => {
    try {
      const found = reader.version.get() ?? 0
      if (lastSeen?.reader !== reader || lastSeen.version !== found) version++
      lastSeen = { reader, version: found }
    } catch (error) {
      // Another program holds the lock for a commit, which is not in force yet. So the version is still the last one.
      if (!isBusy(error)) return Effect.fail(fault(error))
    }
    return Effect.succeed(version)
  }
  return {
    find: (id: string) => runQuery((reader) => read(reader, id)),
    findMany: (ids: ReadonlyArray<string>) =>
      Effect.suspend(() => runQuery((reader) => ids.flatMap((id) => Option.toArray(read(reader, id))))),
    version: (): Effect.Effect<number, StoreUnavailable> => {
      const { current } = file
      return current === undefined
        ? Effect.flatMap(file.reopened, ({ reader }) => versionOf(reader))
        : versionOf(current.reader)
    },
  }
}

const read = ({ find }: Reader, id: string): Option.Option<SessionRow> => {
  const row = find(id)
  // SQLite may find a row with another id, because the column has a collation or the id is not valid text.
  if (row?.id !== id) return Option.none()
  // Without an `incarnation`, because no column identifies one. A `REPLACE` (a heartbeat) or a reload of the whole file
  // changes the rowid, and perhaps `created_at`, of the same session; a row that is removed and inserted again within a
  // second may keep both.
  return Option.some({ session: toSession(row) })
}

/** Stores the policies that are given, and returns the whole policy of the session. */
const writePolicy = (run: Run, id: string, policy: Partial<SessionPolicy>) =>
  Effect.gen(function* () {
    for (const [name, { column, write }] of Object.entries(policyRows)) {
      const value: unknown = Reflect.get(policy, name)
      if (value !== undefined) yield* run(policyStatement(column), [id, write(value)])
    }
    const [row] = yield* run<PolicyRow>(findPolicyStatement, [id])
    return row
  })

/** Deletes what the proxy's own tables have of a session. */
const forget = (run: Run, id: string) =>
  Effect.zipRight(run(forgetPolicyStatement, [id]), run(forgetControlStatement, [id]))

/** A session as it stands, within a transaction that has made the tables. */
const existing = (run: Run, id: string) =>
  Effect.flatMap(run<Row>(findStatement, [id]), ([row]) =>
    row === undefined ? new SessionNotFound({ sessionId: id }) : Effect.succeed(row),
  )

/** Asks the precondition of a write, within its transaction, which has made the tables. */
const checked = <E>(
  run: Run,
  id: string,
  precondition: Precondition<E> | undefined,
): Effect.Effect<void, E | SqlError> =>
  precondition === undefined
    ? Effect.void
    : Effect.flatMap(run<Row>(findStatement, [id]), ([row]) =>
        precondition(row === undefined ? undefined : toSession(row)),
      )

const drain = (run: Run, id: string, grace: number) =>
  Effect.gen(function* () {
    const row = yield* existing(run, id)
    // Not before its session: where the clock was set back, the drain would be taken for that of an earlier one.
    const { since, until } = drainFor(Math.max(Date.now(), millisecondsOf(row.createdAt) ?? 0), grace)
    yield* run(drainStatement, [row.id, since, until])
    return toSession(yield* existing(run, id))
  })

const resume = (run: Run, id: string) =>
  Effect.gen(function* () {
    const row = yield* existing(run, id)
    yield* run(resumeStatement, [row.id])
    return toSession(yield* existing(run, id))
  })

const kill = (run: Run, id: string, { code, reason }: Partial<KillClose>) =>
  Effect.gen(function* () {
    const row = yield* existing(run, id)
    yield* run(killStatement, [row.id, Date.now(), code ?? null, reason ?? null])
    return toSession(yield* existing(run, id))
  })

/** What a slice of the sessions comes to; `last`: the largest id, of whatever type the row has. */
interface TallySlice {
  readonly count: number
  readonly forwarding: number
  readonly last: unknown
}

const writes = (file: FollowedFile<Connections>, filename: string) => {
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
        const [row] = yield* run<Row>(returning(statement), [id, url, status])
        if (row === undefined) return yield* tableFault(filename, "took a row and did not give it back")
        yield* forget(run, row.id)
        return toSession({ ...row, ...(yield* writePolicy(run, row.id, policy ?? {})) })
      }),
    )
  const change = <E>(id: string, { url, status, policy }: SessionChange, precondition?: Precondition<E>) =>
    transact((run) =>
      Effect.gen(function* () {
        yield* checked(run, id, precondition)
        const [row] = yield* run<Row>(returning(setStatement), [url ?? null, status ?? null, id])
        if (row === undefined) return yield* new SessionNotFound({ sessionId: id })
        yield* writePolicy(run, row.id, policy ?? {})
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
