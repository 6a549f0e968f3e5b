import { layer as layerReactivity, Reactivity } from "@effect/experimental/Reactivity"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { make as makeClient } from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, ExecutionStrategy, Exit, Layer, Option, Schedule, Scope } from "effect"
import { policyRows } from "../domain/Policies.js"
import { SessionNotFound, StoreUnavailable } from "../domain/ProxyError.js"
import { Session, SessionExists, SessionInvalid, SessionsExist } from "../domain/Session.js"
import { policyOfColumns, type SessionPolicy } from "../domain/SessionPolicy.js"
import { companionsOf, placeOf } from "./FilePlace.js"
import { FollowedFile } from "./FollowedFile.js"
import { type AddAllOptions, type NewSession, type SessionChange, SessionRepo, type SessionRow } from "./SessionRepo.js"
import { checkChange, checkNew } from "./SessionRules.js"
import { addAll } from "./SqliteAddAll.js"
import { Sqlite } from "./SqliteDriver.js"
import { isBusy, isKeyConflict, lacksPolicies, storeFault, tableFault, whileBusy } from "./SqliteFault.js"
import { createPolicyTable, policyTable } from "./SqliteMigrations.js"
import { usablePath } from "./SqlitePath.js"
import { checkTable, createSchema, noTable } from "./SqliteSchema.js"
import { atOnce, type Run } from "./SqliteTransaction.js"

export interface SqliteOptions {
  /** Path of the database; it is made where it is missing, its folder is not. */
  readonly filename: string
  /** Nothing is made or changed, not even the journal's mode: for listing what is in a file one may not write. */
  readonly readonly?: boolean
}

/** Sessions in an SQLite file that other programs read and write at the same time. */
export const layerSqlite = (options: SqliteOptions): Layer.Layer<SessionRepo, StoreUnavailable> =>
  Layer.scoped(SessionRepo, make(options.filename, options.readonly ?? false)).pipe(Layer.provide(layerReactivity))

// How long a lock of another program is waited for, in milliseconds: at the start and for a write, and for a request.
const patience = 5_000
const requestPatience = 2_000
// And how long another proxy is given to see that its file is gone.
const letGoPatience = 2_500

// SQLite gives a value the type it came with, whatever the column says: read all of it as text.
const text = (column: string) => `ifnull(CAST(${column} AS TEXT), '')`
const columns = `${text("sessions.session_id")} AS id, ${text("downstream_server_url")} AS url,
  ${text("downstream_server_status")} AS status,
  CAST(created_at AS TEXT) AS createdAt, CAST(updated_at AS TEXT) AS updatedAt`
const policyColumns = Object.entries(policyRows)
  .map(([name, { column }]) => `CAST(${policyTable}.${column} AS TEXT) AS ${name}`)
  .join(", ")
const joined = `sessions LEFT JOIN ${policyTable} ON ${policyTable}.session_id = sessions.session_id`

/** A statement over sessions and their policies, and what it is where there is no table of policies. */
interface Query {
  readonly whole: string
  readonly withoutPolicies: string
}

const query = (what: string, rest: string): Query => ({
  whole: `SELECT ${what}, ${policyColumns} FROM ${joined} ${rest}`,
  withoutPolicies: `SELECT ${what} FROM sessions ${rest}`,
})

const findQuery = query(columns, "WHERE sessions.session_id = ?")
const listQuery = query(columns, "ORDER BY sessions.session_id")
const countStatement = "SELECT count(*) AS count FROM sessions"
const addStatement = `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
  VALUES (?, ?, ?)`
const putStatement = `${addStatement} ON CONFLICT (session_id) DO UPDATE SET
  downstream_server_url = excluded.downstream_server_url,
  downstream_server_status = excluded.downstream_server_status, updated_at = CURRENT_TIMESTAMP`
const setStatement = `UPDATE sessions SET
  downstream_server_url = coalesce(?, downstream_server_url),
  downstream_server_status = coalesce(?, downstream_server_status), updated_at = CURRENT_TIMESTAMP
  WHERE session_id = ?`
const removeStatement = "DELETE FROM sessions WHERE session_id = ?"
const returning = (statement: string) => `${statement} RETURNING ${columns}`

const findPolicyStatement = `SELECT ${policyColumns} FROM ${policyTable} WHERE session_id = ?`
const forgetPolicyStatement = `DELETE FROM ${policyTable} WHERE session_id = ?`
const policyStatement = (column: string) => `INSERT INTO ${policyTable} (session_id, ${column}) VALUES (?, ?)
  ON CONFLICT (session_id) DO UPDATE SET ${column} = excluded.${column}`

/** The texts of a row of policies, by their names. */
type PolicyRow = Readonly<Record<keyof SessionPolicy, string | null>>

/** A row of `sessions`; with its policy where that was read too and there is one. */
interface Row extends Partial<PolicyRow> {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly createdAt: string | null
  readonly updatedAt: string | null
}

// The statements' casts have seen to the types.
const toSession = ({ id, url, status, createdAt, updatedAt, ...policy }: Row): Session =>
  new Session({ id, url, status, policy: policyOfColumns(policy), createdAt, updatedAt }, { disableValidation: true })

/** What is open of one file. */
interface Connections {
  readonly sql: SqlClient
  /** What closes `sql` alone. */
  readonly sqlScope: Scope.CloseableScope
  readonly reader: Reader
}

const make = (
  filename: string,
  readonly: boolean,
): Effect.Effect<typeof SessionRepo.Service, StoreUnavailable, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const path = yield* usablePath(filename, readonly)
    if (!readonly) yield* companionsGone(path)
    const reactivity = yield* Reactivity
    const open = (first: boolean): Effect.Effect<Connections, StoreUnavailable, Scope.Scope> =>
      Effect.gen(function* () {
        // What takes a file's place may be anything.
        if (!first) yield* usablePath(filename, readonly)
        const sqlScope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
        const sql = yield* Scope.extend(
          openClient(path, filename, readonly ? "readonly" : first ? "make" : "follow"),
          sqlScope,
        )
        const reader = yield* openReader(path, filename, readonly || (yield* keepsLog(sql, filename)))
        return { sql, sqlScope, reader }
      }).pipe(Effect.provideService(Reactivity, reactivity))
    const file = yield* FollowedFile.open({
      path,
      filename,
      open,
      checkpoint: checkpoint(filename),
      usesLog: ({ reader }) => reader.usesLog(),
      // The reader is left, which may not write: as long as it is there, SQLite leaves the log to it.
      discardLog: ({ sqlScope }) => Scope.close(sqlScope, Exit.void),
    })
    return { ...reads(file, filename), ...writes(file, filename) }
  })

/**
 * Where a file was removed while a proxy had it open, waits until that proxy lets go of what SQLite keeps beside it, which it
 * does within a second: SQLite would take it for a part of the file that is about to be made. What a crash has left there
 * does no harm, but cannot be told from it.
 */
const companionsGone = (path: string): Effect.Effect<void> => {
  const areLeft = () => placeOf(path) === "nothing" && companionsOf(path).some((place) => place !== "nothing")
  return Effect.repeat(Effect.sync(areLeft), {
    while: (left) => left,
    schedule: Schedule.spaced(25).pipe(Schedule.upTo(letGoPatience)),
  }).pipe(Effect.asVoid)
}

const keepsLog = (sql: SqlClient, filename: string): Effect.Effect<boolean, StoreUnavailable> =>
  sql
    .unsafe<{ journal_mode: string }>("PRAGMA journal_mode")
    .pipe(Effect.mapBoth({ onFailure: storeFault(filename), onSuccess: ([mode]) => mode?.journal_mode === "wal" }))

/** Brings all that is in a file's write-ahead log into the file. */
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

/** The connection for writes and for what is not urgent, with a table that is known to be usable. */
const openClient = (path: string, filename: string, how: "readonly" | "make" | "follow") =>
  Effect.gen(function* () {
    const readonly = how === "readonly"
    // The client keeps no statements, `SqliteDriver` does: the client would keep a failure to prepare one just as long,
    // "locked" included. And the journal's mode is `prepareFile`'s: the client's own switch blocks the event loop while the file is locked.
    const options = { filename: path, readonly, disableWAL: true, prepareCacheTTL: 0 }
    // The client lets the driver's exception through, which is a defect.
    const sql = yield* makeClient(options).pipe(Effect.catchAllDefect(Effect.fail))
    yield* sql`PRAGMA busy_timeout = 0`
    yield* whileBusy(how === "follow" ? requestPatience : patience)(
      Effect.gen(function* () {
        // What replaces a file may still be on its way there, so that nothing is made in it.
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
    // Readers and a writer do not wait for each other in this mode. A file in use stays in the mode that it has.
    yield* Effect.ignore(sql`PRAGMA journal_mode = WAL`)
    // What a power cut may lose then is the last commits, not the file's consistency.
    yield* sql`PRAGMA synchronous = NORMAL`
    yield* createSchema(sql, filename)
  })

/**
 * A second connection, for what a request asks; it also sees what the first one commits, as anybody else's change. It is
 * better-sqlite3 itself and no client of @effect/sql: a request would need a fiber, whose start and steps cost four times
 * what SQLite does (docs/ARCHITECTURE.md has the figures).
 */
interface Reader {
  readonly find: (id: string) => Row | undefined
  readonly version: Sqlite.Statement<[], number>
  /** Whether it has a write-ahead log open; also where what others did to it lets SQLite not even tell. */
  readonly usesLog: () => boolean
}

const openReader = (
  path: string,
  filename: string,
  readonly: boolean,
): Effect.Effect<Reader, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    // Read-only in WAL mode, where it can repair what a crashed writer left all the same: that is in the log's index. In
    // another mode it takes a connection that can write.
    const open = Effect.try({ try: () => new Sqlite(path, { readonly, timeout: 0 }), catch: storeFault(filename) })
    const database = yield* Effect.acquireRelease(open, (opened) => Effect.sync(() => opened.close()))
    return yield* Effect.try({
      try: () => {
        const find = finder(database)
        // SQLite opens its files when it reads for the first time: later the process may have no descriptor left.
        find("")
        const journalMode = database.prepare<[], string>("PRAGMA journal_mode").pluck()
        return {
          find,
          version: database.prepare<[], number>("PRAGMA data_version").pluck(),
          usesLog: () => {
            try {
              return journalMode.get() === "wal"
            } catch {
              return true
            }
          },
        }
      },
      catch: (error) => error,
    }).pipe(whileBusy(patience), Effect.mapError(storeFault(filename)))
  })

/** Finds a row and its policy by one statement. SQLite itself prepares it again when a table has changed. */
const finder = (database: Sqlite.Database): Reader["find"] => {
  const prepare = (statement: string) => database.prepare<[id: string], Row>(statement)
  let withoutPolicies: Sqlite.Statement<[id: string], Row> | undefined
  let whole: Sqlite.Statement<[id: string], Row> | undefined
  return (id) => {
    try {
      whole ??= prepare(findQuery.whole)
      return whole.get(id)
    } catch (error) {
      if (!lacksPolicies(error)) throw error
      withoutPolicies ??= prepare(findQuery.withoutPolicies)
      return withoutPolicies.get(id)
    }
  }
}

/**
 * What a request waits for. These read synchronously (microseconds) and return `Exit` values: the caller goes on in the
 * same turn and needs no fiber. Only where the file has been replaced, they take longer.
 */
const reads = (file: FollowedFile<Connections>, filename: string) => {
  const fault = storeFault(filename)
  /** Grows with each change that was noticed: another file's own version may be the one that this file had. */
  let version = 0
  let lastSeen: { readonly reader: Reader; readonly version: number } | undefined

  const patiently = <A>(query: () => A): Effect.Effect<A, StoreUnavailable> =>
    Effect.try({ try: query, catch: (error) => error }).pipe(whileBusy(requestPatience), Effect.mapError(fault))
  const now = <A>(query: () => A): Effect.Effect<A, StoreUnavailable> => {
    try {
      return Effect.succeed(query())
    } catch (error) {
      return isBusy(error) ? patiently(query) : Effect.fail(fault(error))
    }
  }
  const reading = <A>(query: (reader: Reader) => A): Effect.Effect<A, StoreUnavailable> => {
    const { current } = file
    if (current !== undefined) return now(() => query(current.reader))
    return Effect.flatMap(file.afresh, ({ reader }) => now(() => query(reader)))
  }
  const versionOf = (reader: Reader): Effect.Effect<number, StoreUnavailable> => {
    try {
      const found = reader.version.get() ?? 0
      if (lastSeen?.reader !== reader || lastSeen.version !== found) version++
      lastSeen = { reader, version: found }
    } catch (error) {
      // Somebody is about to commit, and has not yet.
      if (!isBusy(error)) return Effect.fail(fault(error))
    }
    return Effect.succeed(version)
  }
  return {
    find: (id: string) => reading((reader) => read(reader, id)),
    findMany: (ids: ReadonlyArray<string>) =>
      Effect.suspend(() => reading((reader) => ids.flatMap((id) => Option.toArray(read(reader, id))))),
    version: (): Effect.Effect<number, StoreUnavailable> => {
      const { current } = file
      return current === undefined
        ? Effect.flatMap(file.afresh, ({ reader }) => versionOf(reader))
        : versionOf(current.reader)
    },
  }
}

const read = ({ find }: Reader, id: string): Option.Option<SessionRow> => {
  const row = find(id)
  // SQLite may find another id than was asked for: a column's own collation, an id that is no valid text.
  if (row?.id !== id) return Option.none()
  // Of no incarnation. A row that is replaced (a heartbeat by `REPLACE`) or loaded again with its whole file gets another
  // rowid, and perhaps another time; one that is removed and inserted anew within a second may get the same.
  return Option.some({ session: toSession(row) })
}

/** Stores those policies that are given, and gives back the whole policy of the session. */
const writePolicy = (run: Run, id: string, policy: Partial<SessionPolicy>) =>
  Effect.gen(function* () {
    for (const [name, { column, write }] of Object.entries(policyRows)) {
      const value: unknown = Reflect.get(policy, name)
      if (value !== undefined) yield* run(policyStatement(column), [id, write(value)])
    }
    const [row] = yield* run<PolicyRow>(findPolicyStatement, [id])
    return row
  })

const forgetPolicy = (run: Run, id: string) => run(forgetPolicyStatement, [id])

const writes = (file: FollowedFile<Connections>, filename: string) => {
  const asFault = storeFault(filename)
  const oneAtATime = Effect.unsafeMakeSemaphore(1)
  const fault = Effect.mapError(asFault)

  const reading = <Found extends object>(statement: string) =>
    Effect.flatMap(file.placed, ({ sql }) => sql.unsafe<Found>(statement).pipe(whileBusy(patience)))
  const changing = <A, E>(change: (run: Run) => Effect.Effect<A, E>) =>
    Effect.flatMap(file.placed, ({ sql }) =>
      atOnce(sql, (run) => Effect.zipRight(run(createPolicyTable, []), change(run))).pipe(whileBusy(patience)),
    )

  /** In place of any other session of this id, of which no policy is to be left. */
  const store = (statement: string, { id, url, status, policy }: NewSession) =>
    changing((run) =>
      Effect.gen(function* () {
        const [row] = yield* run<Row>(returning(statement), [id, url, status])
        if (row === undefined) return yield* tableFault(filename, "took a row and did not give it back")
        yield* forgetPolicy(run, row.id)
        return toSession({ ...row, ...(yield* writePolicy(run, row.id, policy ?? {})) })
      }),
    )
  const change = (id: string, { url, status, policy }: SessionChange) =>
    changing((run) =>
      Effect.gen(function* () {
        const [row] = yield* run<Row>(returning(setStatement), [url ?? null, status ?? null, id])
        if (row === undefined) return yield* new SessionNotFound({ sessionId: id })
        return toSession({ ...row, ...(yield* writePolicy(run, row.id, policy ?? {})) })
      }),
    )
  const remove = (id: string) =>
    changing((run) =>
      Effect.gen(function* () {
        const [row] = yield* run<Row>(returning(removeStatement), [id])
        if (row === undefined) return yield* new SessionNotFound({ sessionId: id })
        const policy = yield* writePolicy(run, row.id, {})
        yield* forgetPolicy(run, row.id)
        return toSession({ ...row, ...policy })
      }),
    )
  const unlessFound = Effect.mapError((error: unknown) => (error instanceof SessionNotFound ? error : asFault(error)))

  return {
    count: Effect.map(fault(reading<{ readonly count: number }>(countStatement)), ([row]) => row?.count ?? 0),
    list: reading<Row>(listQuery.whole).pipe(
      Effect.catchIf(lacksPolicies, () => reading<Row>(listQuery.withoutPolicies)),
      fault,
      Effect.map((rows) => rows.map(toSession)),
    ),
    add: (session: NewSession) =>
      Effect.zipRight(
        checkNew(session),
        Effect.mapError(store(addStatement, session), (error) =>
          isKeyConflict(error) ? new SessionExists({ sessionId: session.id }) : asFault(error),
        ),
      ),
    put: (session: NewSession) => Effect.zipRight(checkNew(session), fault(store(putStatement, session))),
    addAll: (sessions: ReadonlyArray<NewSession>, options: AddAllOptions) =>
      Effect.flatMap(file.placed, ({ sql }) => addAll(sql, filename, patience, sessions, options)).pipe(
        oneAtATime.withPermits(1),
        Effect.mapError((error) =>
          error instanceof SessionsExist || error instanceof SessionInvalid ? error : asFault(error),
        ),
      ),
    set: (id: string, changes: SessionChange) =>
      Effect.zipRight(checkChange(id, changes), unlessFound(change(id, changes))),
    remove: (id: string) => unlessFound(remove(id)),
  }
}
