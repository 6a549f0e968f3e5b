import type { Reactivity } from "@effect/experimental/Reactivity"
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, ExecutionStrategy, Schedule, Scope } from "effect"
import type { IdCase } from "../../domain/Settings.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { companionsOf, placeOf } from "../FilePlace.js"
import { openSqliteClient } from "./SqliteClient.js"
import type { Database, Statement } from "./SqliteDatabase.js"
import { openDatabase } from "./SqliteDriver.js"
import { markAsMaking, requireWhole, takeOverMaking } from "./SqliteMaking.js"
import { storeFault, whileBusy } from "./SqliteFault.js"
import { usablePath } from "./SqlitePath.js"
import {
  alsoMissing,
  asText,
  findFoldedQuery,
  findFoldedStatement,
  findQuery,
  findStatement,
  type RowText,
} from "./SqliteRows.js"
import { checkTable, createSchema, noTable } from "./SqliteSchema.js"

// Time limits of waiting for a lock of another program, in milliseconds: at the start and for a write, and for a
// request.
export const lockTimeout = 5_000
export const requestLockTimeout = 2_000
// Time limit, in milliseconds, for another proxy to notice that its file is gone and to close it.
const closeTimeout = 2_500

/**
 * The second connection, for the reads of requests. It sees commits of the first connection like those of any other. It
 * is the driver itself and not a client of @effect/sql, because a request would need a fiber for that: many times
 * the cost of the query itself (docs/ARCHITECTURE.md has the figures).
 */
export interface Reader {
  readonly find: (id: string) => RowText | undefined
  /** Those whose ids differ in nothing but case. */
  readonly findFolded: (id: string) => ReadonlyArray<RowText>
  readonly version: Statement<[], number>
  /**
   * Whether the connection uses a WAL; also true if SQLite cannot tell, because another program has damaged the file.
   */
  readonly usesWal: () => boolean
}

/** The open connections of one file. */
export interface Connections {
  readonly sql: SqlClient
  /** Closes `sql` but not `reader`. */
  readonly sqlScope: Scope.CloseableScope
  readonly reader: Reader
}

/** How a file is opened. */
interface Opening {
  readonly first: boolean
  readonly readonly: boolean
  readonly marksMaking: boolean
  readonly idCase: IdCase
}

/**
 * Opens both. `readonly`: makes and changes nothing. `first`: the file may be made; later it only may be followed, for it may have been
 * replaced by anything. `marksMaking`: a file that is made counts as made when the scope closes.
 */
export const openConnections = (
  path: string,
  filename: string,
  { first, idCase, marksMaking, readonly }: Opening,
): Effect.Effect<Connections, StoreUnavailable, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    if (!first) yield* usablePath(filename, readonly)
    const sqlScope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const how = readonly ? "readonly" : first ? (marksMaking ? "make whole" : "make") : "follow"
    const sql = yield* Scope.extend(openClient(path, filename, how, idCase), sqlScope)
    const reader = yield* openReader(path, filename, readonly || (yield* isWalMode(sql, filename)))
    return { sql, sqlScope, reader }
  })

/**
 * If a file was removed while a proxy had it open, waits until that proxy has closed it, which takes about a second.
 * Until then the old WAL and its index are beside the path, and SQLite would use them with the new file. Companions
 * that a crash left are harmless but look the same, so the wait has a limit.
 */
export const waitForStaleCompanions = (path: string): Effect.Effect<void> => {
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
export const checkpoint =
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

/** `make whole`: marks a file that it makes until the scope closes. */
type How = "readonly" | "make" | "make whole" | "follow"

/** The connection for writes and for reads that no request waits for. Its table has been checked. */
const openClient = (path: string, filename: string, how: How, idCase: IdCase) =>
  Effect.gen(function* () {
    const readonly = how === "readonly"
    const sql = yield* openSqliteClient(path, { readonly, timeout: 0 })
    yield* whileBusy(how === "follow" ? requestLockTimeout : lockTimeout)(
      Effect.gen(function* () {
        // A file that replaces another may still be incomplete, so no table is made in it.
        if (how === "readonly" || how === "follow") yield* requireTable(sql, filename)
        if (how === "follow") yield* requireWhole(sql, filename)
        if (how === "make whole")
          yield* (yield* checkTable(sql, filename)) === "absent" ? markAsMaking(sql) : takeOverMaking(sql)
        if (how !== "readonly") yield* prepareFile(sql, filename, idCase)
      }),
    )
    return sql
  }).pipe(Effect.mapError(storeFault(filename)))

const requireTable = (sql: SqlClient, filename: string): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.flatMap(checkTable(sql, filename), (table) => (table === "absent" ? noTable(filename) : Effect.void))

const prepareFile = (
  sql: SqlClient,
  filename: string,
  idCase: IdCase,
): Effect.Effect<void, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    yield* checkTable(sql, filename)
    // In WAL mode readers and a writer do not block each other. A file that is in use keeps its mode, which is no
    // failure.
    yield* Effect.ignore(sql`PRAGMA journal_mode = WAL`)
    // A power failure may then lose the last commits, but does not corrupt the file.
    yield* sql`PRAGMA synchronous = NORMAL`
    yield* createSchema(sql, filename, idCase)
  })

const openReader = (
  path: string,
  filename: string,
  readonly: boolean,
): Effect.Effect<Reader, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    // Recovery after a crashed writer: in WAL mode a read-only connection can do it, because it only rebuilds the WAL
    // index. In another mode a hot journal must be rolled back, which needs a connection that can write.
    const open = Effect.try({ try: () => openDatabase(path, { readonly, timeout: 0 }), catch: storeFault(filename) })
    const database = yield* Effect.acquireRelease(open, (opened) => Effect.sync(() => opened.close()))
    return yield* Effect.try({
      try: () => {
        const { find, findFolded } = finder(database)
        // SQLite opens its files at the first read. Do that now: later the process may have no free descriptor.
        find("")
        const journalMode = database.prepare<[], string>("PRAGMA journal_mode").pluck()
        return {
          find,
          findFolded,
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
const finder = (database: Database): Pick<Reader, "find" | "findFolded"> => {
  const statements = new Map<string, Finder>()
  const prepared = (statement: string): Finder => {
    const known = statements.get(statement)
    if (known !== undefined) return known
    const names = database
      .prepare(statement)
      .columns()
      .map(({ name }) => name)
    const made = { names, text: database.prepare<[id: string], string>(asText(statement, names)).pluck() }
    statements.set(statement, made)
    return made
  }
  const ask = <A>(question: Question<A>, id: string, statement: string, missing: ReadonlyArray<string>): A => {
    try {
      return question.read(prepared(statement), id)
    } catch (error) {
      const more = alsoMissing(missing, error)
      if (more === undefined) throw error
      return ask(question, id, question.query(more), more)
    }
  }
  return {
    find: (id) => ask(one, id, findStatement, []),
    findFolded: (id) => ask(folded, id, findFoldedStatement, []),
  }
}

/** What is asked of a row's id, in which tables there are. */
interface Question<A> {
  readonly query: (missing: ReadonlyArray<string>) => string
  readonly read: (finder: Finder, id: string) => A
}

const one: Question<RowText | undefined> = {
  query: findQuery,
  read: ({ names, text }, id) => {
    const found = text.get(id)
    return found === undefined ? undefined : { names, text: found }
  },
}

const folded: Question<ReadonlyArray<RowText>> = {
  query: findFoldedQuery,
  read: ({ names, text }, id) => text.all(id).map((found) => ({ names, text: found })),
}

interface Finder {
  readonly names: ReadonlyArray<string>
  readonly text: Statement<[id: string], string>
}
