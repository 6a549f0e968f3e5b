import { Effect, Either, Layer, Logger, Option } from "effect"
import { statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import type { IdCase } from "../domain/Settings.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import type { ActivityStore } from "../sessions/ActivityStore.js"
import { databaseUrlForms, isPostgresUrl, sqlitePathOf } from "../sessions/DatabaseUrl.js"
import type { SessionRepo } from "../sessions/SessionRepo.js"
import { layerMemory } from "../sessions/MemorySessionRepo.js"
import type { PostgresPlace } from "../sessions/postgres/PostgresPlace.js"
import type { PostgresOptions } from "../sessions/postgres/PostgresSessionRepo.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import { UsageError } from "./Failure.js"
import { variable, words } from "./Flag.js"
import { db, dbPath, defaultDatabase } from "./ProgramFlags.js"
import { endAtOnceBySignal } from "./StoppedBySignal.js"

/** Sessions in a file. */
export interface SqliteDatabase {
  readonly _tag: "Sqlite"
  readonly filename: string
  /** How messages name it. */
  readonly shown: string
}

/** Sessions in a database that other machines use, too. */
export interface PostgresDatabase {
  readonly _tag: "Postgres"
  readonly place: PostgresPlace
  /** Where a proxy hears of changes, if not there. */
  readonly listenPlace?: PostgresPlace
  /** How messages name it: its URL, without the password. */
  readonly shown: string
}

/** The store of the sessions. */
export type Database = SqliteDatabase | PostgresDatabase

/** The sessions in this file. */
export const sqliteAt = (filename: string): SqliteDatabase => ({ _tag: "Sqlite", filename, shown: filename })

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

/** The database that a URL names; `source`: what gave it, for messages. */
export const databaseAt = (source: string, url: string): Effect.Effect<Database, UsageError> => {
  const filename = sqlitePathOf(url)
  if (filename !== undefined) return Effect.succeed(sqliteAt(filename))
  if (!isPostgresUrl(url))
    return new UsageError({
      message: `${source} is ${JSON.stringify(redactUrl(url))}; it is no database URL, use ${databaseUrlForms}`,
    })
  // Only a command that has such a URL loads what reads it.
  return Effect.flatMap(
    Effect.promise(() => Promise.all([import("../sessions/postgres/PostgresUrl.js"), placeModule()])),
    ([{ parsePostgresUrl }, { placeText }]) =>
      Either.match(parsePostgresUrl(url), {
        // The URL itself is not shown: where it cannot be read, nobody knows what of it is the password.
        onLeft: (problem) => new UsageError({ message: `${source} is no URL of a PostgreSQL database: ${problem}` }),
        onRight: (place): Effect.Effect<Database> =>
          Effect.succeed({ _tag: "Postgres", place, shown: placeText(place) }),
      }),
  )
}

/** The database of a proxy, that hears of changes by this URL. */
export const listeningAt = (database: Database, url: Option.Option<string>): Effect.Effect<Database, UsageError> =>
  Effect.gen(function* () {
    const byFlag = Option.map(url, (text) => ({ source: "--db-listen", text }))
    const byVariable = Option.map(yield* variable("SS_PROXY_DB_LISTEN"), (text) => ({
      source: "SS_PROXY_DB_LISTEN",
      text,
    }))
    const given = Option.orElse(byFlag, () => byVariable)
    if (Option.isNone(given)) return database
    const { source, text } = given.value
    const other = yield* databaseAt(source, text)
    if (database._tag !== "Postgres" || other._tag !== "Postgres")
      return yield* new UsageError({
        message: `${source} is for PostgreSQL alone: leave it out, or name a server in --db`,
      })
    return { ...database, listenPlace: { ...other.place, schema: database.place.schema } }
  })

const placeModule = () => import("../sessions/postgres/PostgresPlace.js")

/** Whether both are the same file. */
const isFile = (database: Database, filename: string): boolean =>
  database._tag === "Sqlite" && database.filename === filename

/** What a URL begins with. A file of such a name can be given as `./NAME`. */
const urlStart = /^(?:[a-z][a-z0-9+.-]*:\/\/|sqlite:|postgres(?:ql)?:)/i

/**
 * The database from one source: the flags, or the variables. Path and URL may both be given if they name the same file.
 */
const fromOneSource = (
  names: { readonly dbPath: string; readonly db: string },
  choice: DatabaseChoice,
): Effect.Effect<Option.Option<Database>, UsageError> =>
  Effect.gen(function* () {
    const byUrl = yield* Effect.transposeMapOption(choice.db, (url) => databaseAt(names.db, url))
    if (Option.isNone(choice.dbPath)) return byUrl
    const filename = choice.dbPath.value
    if (filename === "") return yield* new UsageError({ message: `${names.dbPath} is empty; it must be a path` })
    // A file of that name would be made, and all messages about it would show the password.
    if (urlStart.test(filename))
      return yield* new UsageError({
        message: `${names.dbPath} is a URL; it must be a path, give the URL to ${names.db}`,
      })
    if (Option.isSome(byUrl) && !isFile(byUrl.value, filename))
      return yield* new UsageError({
        message: `${names.db} says ${byUrl.value.shown} and ${names.dbPath} says ${filename}; give one of them`,
      })
    return Option.some(sqliteAt(filename))
  })

/** The database to use: flags precede variables, which precede `./sessions.db`. */
export const resolveDatabase = (choice: DatabaseChoice): Effect.Effect<Database, UsageError> =>
  Effect.gen(function* () {
    const byFlag = yield* fromOneSource({ dbPath: "--db-path", db: "--db" }, choice)
    if (Option.isSome(byFlag)) return byFlag.value
    const names = { dbPath: "SS_PROXY_DB_PATH", db: "SS_PROXY_DB" }
    const variables = { dbPath: yield* variable(names.dbPath), db: yield* variable(names.db) }
    return Option.getOrElse(yield* fromOneSource(names, variables), () => sqliteAt(defaultDatabase))
  })

/**
 * What a program does with the store: `read`, `follow` its changes, `change` sessions, `fill` it with sessions, or `make` it as the proxy does. Only
 * `read` and `follow` work on a file that cannot be written. Only `fill` and `make` make a missing file: if a file was lost, a new empty
 * one would tell a running proxy that all sessions were removed. So with `fill` it counts as made at the end.
 */
type Access = "read" | "follow" | "change" | "fill" | "make"

/** Whether the file is missing, and its folder exists. Another database may be away, but is not missing. */
export const isAbsent = (database: Database): boolean => database._tag === "Sqlite" && isAbsentFile(database.filename)

/** The same of a file. */
export const isAbsentFile = (filename: string): boolean => {
  try {
    const isThere = statSync(filename, { throwIfNoEntry: false }) !== undefined
    return !isThere && statSync(dirname(resolve(filename))).isDirectory()
  } catch {
    return false
  }
}

const openSqlite = (filename: string, access: Access, idCase: IdCase) =>
  Effect.map(
    Effect.promise(() => import("../sessions/sqlite/SqliteSessionRepo.js")),
    ({ layerSqlite }): Layer.Layer<SessionRepo, StoreUnavailable> => {
      const store = layerSqlite({ filename, idCase, marksMaking: access === "fill" })
      if (access === "fill" || access === "make") return store
      if (isAbsentFile(filename)) return layerMemory()
      if (access === "change") return store
      return Layer.catchAll(store, (error) =>
        Layer.orElse(layerSqlite({ filename, readonly: true }), () => Layer.fail(error)),
      )
    },
  )

const openPostgres = (place: PostgresPlace, options: Omit<PostgresOptions, "place">) =>
  Effect.map(
    Effect.promise(() => import("../sessions/postgres/PostgresSessionRepo.js")),
    ({ layerPostgres }) => layerPostgres({ ...options, place }),
  )

/** Opens the store for a command; for one that only reads, of several servers any will do. Its module is loaded only here, so that commands without a store start faster. */
export const openDatabase = (
  database: Database,
  access: Access,
): Effect.Effect<Layer.Layer<SessionRepo, StoreUnavailable>> => {
  if (database._tag === "Sqlite") return openSqlite(database.filename, access, "exact")
  const { listenPlace, place } = database
  switch (access) {
    case "read":
      return openPostgres({ ...place, sessionKind: "any" }, { readonly: true })
    case "follow":
      return openPostgres(place, { readonly: true, feed: listenPlace === undefined ? {} : { listenPlace } })
    default:
      return openPostgres(place, {})
  }
}

/**
 * The store of a proxy, which hears of what others change in it. `idCase`: how it compares ids. `patience`: how long to wait for a
 * database that cannot be reached, in milliseconds.
 */
export const openForProxy = (
  database: Database,
  idCase: IdCase,
  patience: number,
): Effect.Effect<Layer.Layer<SessionRepo, StoreUnavailable>> => {
  if (database._tag === "Sqlite") return openSqlite(database.filename, "make", idCase)
  const { listenPlace, place } = database
  return openPostgres(place, { idCase, patience, feed: listenPlace === undefined ? {} : { listenPlace } })
}

/** The store as it is: nothing is made or changed of it, not even its tables. */
export const openAsItIs = (database: Database): Layer.Layer<SessionRepo, StoreUnavailable> =>
  Layer.unwrapEffect(
    database._tag === "Postgres"
      ? openDatabase(database, "read")
      : Effect.map(
          Effect.promise(() => import("../sessions/sqlite/SqliteSessionRepo.js")),
          ({ layerSqlite }) => layerSqlite({ filename: database.filename, readonly: true }),
        ),
  )

const openPostgresActivity = (place: PostgresPlace, readonly: boolean) =>
  Effect.map(
    Effect.promise(() => import("../sessions/postgres/PostgresActivityStore.js")),
    ({ layerPostgresActivity }) =>
      layerPostgresActivity({ place: readonly ? { ...place, sessionKind: "any" } : place, readonly }),
  )

/** When its sessions were last active: a file beside a file, or a table beside a table. It is opened when it is needed. */
export const openActivity = (
  database: Database,
  access: "read" | "make",
): Effect.Effect<Layer.Layer<ActivityStore>> => {
  const readonly = access === "read"
  if (database._tag === "Postgres") return openPostgresActivity(database.place, readonly)
  return Effect.map(
    Effect.promise(() => import("../sessions/sqlite/SqliteActivityStore.js")),
    ({ layerSqlite }) => layerSqlite({ sessions: database.filename, readonly }),
  )
}

/** `endsAtOnce`: a signal ends a command that reads, even in a long turn; otherwise the command sees to signals. */
const withDatabase =
  (access: Access, endsAtOnce = access === "read") =>
  <A, E, R>(
    choice: DatabaseChoice,
    use: (database: Database) => Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E | UsageError | StoreUnavailable, Exclude<R, SessionRepo>> =>
    Effect.gen(function* () {
      const chosen = yield* resolveDatabase(choice)
      const isHeard = access === "follow" && chosen._tag === "Postgres"
      const database = isHeard ? yield* listeningAt(chosen, Option.none()) : chosen
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

/** The same for one that goes on for ever, and tells what others change. */
export const followingDatabase = withDatabase("follow", false)

/** Runs a command that changes sessions on the chosen database. */
export const changingDatabase = withDatabase("change")

/** Runs a command that adds sessions on the chosen database, which is made if it is missing. */
export const makingDatabase = withDatabase("fill")
