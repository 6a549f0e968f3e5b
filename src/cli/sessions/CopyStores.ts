import { Context, Effect, Layer, Option, type Scope } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { activityFileOf, ActivityStore, forEachPage } from "../../sessions/ActivityStore.js"
import { isSameFile, placeOf } from "../../sessions/FilePlace.js"
import type { PostgresPlace } from "../../sessions/postgres/PostgresPlace.js"
import type { RowStore } from "../../sessions/RowStore.js"
import {
  type Database,
  isAbsent,
  isAbsentFile,
  openActivity,
  openDatabase,
  type PostgresDatabase,
} from "../Database.js"
import { UsageError } from "../Failure.js"

// Only a copy between databases of a kind loads what reads and writes that.
const sqliteRows = (filename: string, writes: boolean) =>
  Effect.flatMap(
    Effect.promise(() => import("../../sessions/sqlite/SqliteRowStore.js")),
    ({ openSqliteRows }) => openSqliteRows({ filename, writes }),
  )
const postgresModule = Effect.promise(() => import("../../sessions/postgres/PostgresRowStore.js"))
const postgresRows = (place: PostgresPlace, writes: boolean) =>
  Effect.flatMap(postgresModule, ({ openPostgresRows }) => openPostgresRows({ place, writes }))

/** The sessions of a database, to be read. */
export const openSource = (database: Database): Effect.Effect<RowStore, StoreUnavailable, Scope.Scope> =>
  database._tag === "Sqlite" ? sqliteRows(database.filename, false) : postgresRows(database.place, false)

/** The sessions of a database, to be written: it is made, or brought to the current version, as `import` does. */
export const openTarget = (database: Database): Effect.Effect<RowStore, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    if (database._tag === "Postgres") return yield* postgresRows(database.place, true)
    yield* Layer.build(yield* openDatabase(database, "fill"))
    return yield* sqliteRows(database.filename, true)
  })

const nothing: RowStore = {
  count: Effect.succeed(0),
  forEachPage: () => Effect.void,
  find: () => Effect.succeed([]),
  write: () => Effect.void,
}

/** What is in the target now, of which nothing is made. */
export const lookAtTarget = (database: Database): Effect.Effect<RowStore, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    if (isAbsent(database)) return nothing
    if (database._tag === "Sqlite") return yield* openSource(database)
    const { hasTables } = yield* postgresModule
    return (yield* hasTables(database.place)) ? yield* openSource(database) : nothing
  })

const isSamePostgres = (one: PostgresDatabase, other: PostgresDatabase): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    if (one.shown === other.shown) return true
    const { identityOf } = yield* postgresModule
    const [first, second] = yield* Effect.all([identityOf(one.place), identityOf(other.place)])
    return Option.isSome(first) && Option.isSome(second) && first.value === second.value
  })

const isSame = (one: Database, other: Database): Effect.Effect<boolean> => {
  if (one._tag === "Sqlite" && other._tag === "Sqlite")
    return Effect.succeed(isSameFile(placeOf(one.filename), placeOf(other.filename)))
  return one._tag === "Postgres" && other._tag === "Postgres" ? isSamePostgres(one, other) : Effect.succeed(false)
}

/** A database is not copied to itself, whatever it is called. */
export const refuseSame = (from: Database, to: Database): Effect.Effect<void, UsageError> =>
  Effect.flatMap(isSame(from, to), (same) =>
    same ? new UsageError({ message: `--from and --to are the same database, ${to.shown}; name two` }) : Effect.void,
  )

/**
 * Copies when sessions were last active; gives of how many, none where nobody has written it down. Of each time the later one
 * stays.
 */
export const copyActivity = (from: Database, to: Database): Effect.Effect<number, StoreUnavailable> =>
  Effect.gen(function* () {
    if (from._tag === "Sqlite" && isAbsentFile(activityFileOf(from.filename))) return 0
    const opened = (store: Layer.Layer<ActivityStore>) => Effect.map(Layer.build(store), Context.get(ActivityStore))
    const source = yield* opened(yield* openActivity(from, "read"))
    const target = yield* opened(yield* openActivity(to, "make"))
    let count = 0
    yield* forEachPage(source, (rows) =>
      Effect.tap(target.write(rows), () => {
        count += rows.length
      }),
    )
    return count
  }).pipe(Effect.scoped)
