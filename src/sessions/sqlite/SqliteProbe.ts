import { Effect } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { companionsOf } from "../FilePlace.js"
import { millisecondsOf } from "../SessionActivity.js"
import type { Database } from "./SqliteDatabase.js"
import { openDatabase } from "./SqliteDriver.js"
import { storeFault } from "./SqliteFault.js"
import { usablePath } from "./SqlitePath.js"

/** What is known of a database beside its sessions. */
export interface SqliteProbe {
  /** `wal` as a proxy makes it, and as it has to be for a proxy that is not to wait for writers. */
  readonly journalMode: string
  /** Bytes of what was committed and is not in the file itself yet. */
  readonly walBytes: number
  /** When a row was made or changed last, in milliseconds since the epoch; 0 where no row says so. */
  readonly newest: number
}

/** Time to wait for a lock of another program, in milliseconds. Blocks: only for a program that has nothing else to do. */
const lockTimeout = 2_000

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null)

const using = <A>(filename: string, use: (database: Database, path: string) => A) =>
  Effect.gen(function* () {
    const path = yield* usablePath(filename, true)
    return yield* Effect.acquireUseRelease(
      Effect.try(() => openDatabase(path, { fileMustExist: true, timeout: lockTimeout })),
      (database) => Effect.try(() => use(database, path)),
      (database) => Effect.sync(() => database.close()),
    ).pipe(Effect.mapError((error) => storeFault(filename)(error.error)))
  })

/** Looks at a database that exists. Changes nothing. */
export const probeSqlite = (filename: string): Effect.Effect<SqliteProbe, StoreUnavailable> =>
  using(filename, (database, path) => {
    const newest = (column: string): number =>
      millisecondsOf(
        textOf(database.prepare<[], unknown>(`SELECT CAST(max(${column}) AS TEXT) FROM sessions`).pluck().get()),
      ) ?? 0
    const [log] = companionsOf(path)
    return {
      journalMode: database.prepare<[], string>("PRAGMA journal_mode").pluck().get() ?? "",
      walBytes: typeof log === "string" ? 0 : Number(log.size),
      newest: Math.max(newest("created_at"), newest("updated_at")),
    }
  })

/** Pairs of ids that differ in nothing but the case of ASCII letters; so many at most. */
export const twinsIn = (
  filename: string,
  most: number,
): Effect.Effect<ReadonlyArray<readonly [one: string, other: string]>, StoreUnavailable> =>
  using(filename, (database) => {
    const find = database.prepare<[most: number], readonly [one: string, other: string]>(
      `SELECT CAST(min(session_id) AS TEXT), CAST(max(session_id) AS TEXT) FROM sessions
        GROUP BY session_id COLLATE NOCASE HAVING count(*) > 1 LIMIT ?`,
    )
    return find.raw().all(most)
  })

/** Begins to write, and gives it up: fails where the file cannot be written, or another program does not let go of it. */
export const tryToWrite = (filename: string): Effect.Effect<void, StoreUnavailable> =>
  using(filename, (database) => {
    database.exec("BEGIN IMMEDIATE")
    database.exec("ROLLBACK")
  })

/**
 * Opens and closes a database, so that SQLite removes the companions that those who only read have left: made by another user
 * than the proxy's, they would be in its way.
 */
export const removeCompanions = (filename: string): Effect.Effect<void> =>
  Effect.ignore(using(filename, (database) => database.prepare("PRAGMA schema_version").get()))
