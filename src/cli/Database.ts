import { Effect, Layer, Logger, Option } from "effect"
import { statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type { IdCase } from "../domain/Settings.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { ActivityStore } from "../sessions/ActivityStore.js"
import type { SessionRepo } from "../sessions/SessionRepo.js"
import { layerMemory } from "../sessions/MemorySessionRepo.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import { UsageError } from "./Failure.js"
import { variable, words } from "./Flag.js"
import { db, dbPath, defaultDatabase } from "./ProgramFlags.js"
import { endAtOnceBySignal } from "./StoppedBySignal.js"

/** The store of the sessions. */
export interface Database {
  readonly filename: string
}

/** The flags of every command that choose the database. */
export const databaseFlags = [dbPath, db]

/**
 * Their options. They are texts without variables, because both variables are read together, and only without the
 * flags.
 */
export const databaseOptions = { dbPath: words(dbPath), db: words(db) }

/** The values of `databaseOptions`. */
export interface DatabaseChoice {
  readonly dbPath: Option.Option<string>
  readonly db: Option.Option<string>
}

const parseDatabaseUrl = (source: string, url: string): Effect.Effect<Database, UsageError> => {
  const filename = /^sqlite:(?:\/\/)?(.+)$/.exec(url)?.[1]
  if (filename !== undefined) return Effect.succeed({ filename })
  const problem = /^postgres(ql)?:/.test(url) ? "PostgreSQL is not supported by this version" : "it is no database URL"
  return new UsageError({ message: `${source} is ${JSON.stringify(redactUrl(url))}; ${problem}, use sqlite:PATH` })
}

/**
 * The database from one source: the flags, or the variables. Path and URL may both be given if they name the same file.
 */
const fromOneSource = (
  names: { readonly dbPath: string; readonly db: string },
  choice: DatabaseChoice,
): Effect.Effect<Option.Option<Database>, UsageError> =>
  Effect.gen(function* () {
    const byUrl = yield* Effect.transposeMapOption(choice.db, (url) => parseDatabaseUrl(names.db, url))
    if (Option.isNone(choice.dbPath)) return byUrl
    const filename = choice.dbPath.value
    if (filename === "") return yield* new UsageError({ message: `${names.dbPath} is empty; it must be a path` })
    if (Option.isSome(byUrl) && byUrl.value.filename !== filename)
      return yield* new UsageError({
        message: `${names.db} says ${byUrl.value.filename} and ${names.dbPath} says ${filename}; give one of them`,
      })
    return Option.some({ filename })
  })

/** The database to use: flags precede variables, which precede `./sessions.db`. */
export const resolveDatabase = (choice: DatabaseChoice): Effect.Effect<Database, UsageError> =>
  Effect.gen(function* () {
    const byFlag = yield* fromOneSource({ dbPath: "--db-path", db: "--db" }, choice)
    if (Option.isSome(byFlag)) return byFlag.value
    const names = { dbPath: "SS_PROXY_DB_PATH", db: "SS_PROXY_DB" }
    const variables = { dbPath: yield* variable(names.dbPath), db: yield* variable(names.db) }
    return Option.getOrElse(yield* fromOneSource(names, variables), () => ({ filename: defaultDatabase }))
  })

/**
 * What a program does with the store: `read`, `change` sessions, `fill` it with sessions, or `make` it as the proxy does. Only
 * `read` works on a file that cannot be written. Only `fill` and `make` make a missing file: if a file was lost, a new empty
 * one would tell a running proxy that all sessions were removed. So with `fill` it counts as made at the end.
 */
type Access = "read" | "change" | "fill" | "make"

/** Whether the file is missing, and its folder exists. */
export const isAbsent = (filename: string): boolean => {
  try {
    const isThere = statSync(filename, { throwIfNoEntry: false }) !== undefined
    return !isThere && statSync(dirname(resolve(filename))).isDirectory()
  } catch {
    return false
  }
}

/**
 * Opens the store. Its module is loaded only here, so that commands without a store start faster. `idCase`: how a proxy compares
 * ids that looks them up in it.
 */
export const openDatabase = (
  { filename }: Database,
  access: Access,
  idCase: IdCase = "exact",
): Effect.Effect<Layer.Layer<SessionRepo, StoreUnavailable>> =>
  Effect.map(
    Effect.promise(() => import("../sessions/SqliteSessionRepo.js")),
    ({ layerSqlite }) => {
      const store = layerSqlite({ filename, idCase, marksMaking: access === "fill" })
      if (access === "fill" || access === "make") return store
      if (isAbsent(filename)) return layerMemory()
      if (access === "change") return store
      return Layer.catchAll(store, (error) =>
        Layer.orElse(layerSqlite({ filename, readonly: true }), () => Layer.fail(error)),
      )
    },
  )

/** When its sessions were last active: a file beside it, which is opened when it is needed. */
export const openActivity = (
  { filename: sessions }: Database,
  access: "read" | "make",
): Effect.Effect<Layer.Layer<ActivityStore>> =>
  Effect.map(
    Effect.promise(() => import("../sessions/SqliteActivityStore.js")),
    ({ layerSqlite }) => layerSqlite({ sessions, readonly: access === "read" }),
  )

/** `endsAtOnce`: a signal ends a command that reads, even in a long turn; otherwise the command sees to signals. */
const withDatabase =
  (access: Access, endsAtOnce = access === "read") =>
  <A, E, R>(
    choice: DatabaseChoice,
    use: (database: Database) => Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E | UsageError | StoreUnavailable, Exclude<R, SessionRepo>> =>
    Effect.gen(function* () {
      const database = yield* resolveDatabase(choice)
      const store = yield* openDatabase(database, access)
      if (endsAtOnce) yield* endAtOnceBySignal
      // No logger: Effect logs to standard output, which is for the result, and a command reports errors as its
      // failure.
      return yield* Effect.provide(use(database), Layer.merge(store, Logger.remove(Logger.defaultLogger)))
    })

/** Runs a command that reads sessions on the chosen database. */
export const readingDatabase = withDatabase("read")

/** The same for a command that has something to do at the end, whatever ends it. */
export const readingUntilSignal = withDatabase("read", false)

/** Runs a command that changes sessions on the chosen database. */
export const changingDatabase = withDatabase("change")

/** Runs a command that adds sessions on the chosen database, which is made if it is missing. */
export const makingDatabase = withDatabase("fill")
