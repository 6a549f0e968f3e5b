import { layer as layerReactivity, type Reactivity } from "@effect/experimental/Reactivity"
import { fromPool } from "@effect/sql-pg/PgClient"
import type { SqlError } from "@effect/sql/SqlError"
import { Effect, Layer, Schedule, type Scope } from "effect"
import type { IdCase } from "../../domain/Settings.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { SessionRepo } from "../SessionRepo.js"
import { fedReads } from "./FedReads.js"
import { type FeedOptions, startFeed } from "./PostgresFeed.js"
import { mayPass, storeFault } from "./PostgresFault.js"
import { migrate, requireTables } from "./PostgresMigrations.js"
import { type PostgresPlace, placeText } from "./PostgresPlace.js"
import { openPool } from "./PostgresPool.js"
import { reads } from "./PostgresReads.js"
import { makeStore } from "./PostgresStore.js"
import { writes } from "./PostgresWrites.js"

export interface PostgresOptions {
  readonly place: PostgresPlace
  /** Makes and changes nothing: the tables have to be there. */
  readonly readonly?: boolean
  /** `fold`: makes an index, so that `findFolded` does not look at every row. It stays when it is asked for no more. */
  readonly idCase?: IdCase
  /** How long to wait at the start for a database that cannot be reached, in milliseconds; 0 unless said otherwise. */
  readonly patience?: number
  /** Hears of changes from now on, as a proxy has to. Without this, `version` tells of those made here alone. */
  readonly feed?: Pick<FeedOptions, "listenPlace" | "times">
}

// Requests wait for these statements. One more than one, so that a slow write holds up no read.
const shortUse = { max: 2, queryTimeout: 2_000 }
// For making tables and indexes, and for many rows.
const longUse = { max: 1, queryTimeout: 600_000 }
// Rows that are read again at a time: each query costs more than each row of it.
const batchSize = 500
// Between two attempts at the start, in milliseconds.
const startEvery = 250

/** Sessions in a PostgreSQL database that other programs read and write at the same time. */
export const layerPostgres = (options: PostgresOptions): Layer.Layer<SessionRepo, StoreUnavailable> =>
  Layer.scoped(SessionRepo, make(options)).pipe(Layer.provide(layerReactivity))

/** Waits for a database that is just being started. */
const whileAway =
  (patience: number) =>
  <A>(open: Effect.Effect<A, SqlError | StoreUnavailable>): Effect.Effect<A, SqlError | StoreUnavailable> =>
    Effect.retry(open, { while: mayPass, schedule: Schedule.spaced(startEvery).pipe(Schedule.upTo(patience)) })

const make = ({
  feed: heard,
  idCase = "exact",
  patience = 0,
  place,
  readonly = false,
}: PostgresOptions): Effect.Effect<typeof SessionRepo.Service, StoreUnavailable, Scope.Scope | Reactivity> =>
  Effect.gen(function* () {
    const shown = placeText(place)
    const { schema } = place
    const sql = yield* fromPool({ acquire: openPool(place, shortUse) })
    const bulk = yield* fromPool({ acquire: openPool(place, longUse) })
    const wanted = { schema, shown, folds: idCase === "fold" }
    yield* whileAway(patience)(readonly ? requireTables(sql, wanted) : migrate(sql, bulk, wanted))
    const opened = { sql, bulk, schema, shown }
    if (heard === undefined) {
      let version = 0
      const store = makeStore({ ...opened, changed: () => void version++ })
      return { ...reads(store), ...writes(store), version: () => Effect.succeed(version) }
    }
    const feed = yield* startFeed({ ...heard, place, patience })
    const store = makeStore({ ...opened, changed: feed.nudge })
    const { changes, version } = feed
    return { ...(yield* fedReads(reads(store), feed)), ...writes(store), version, changes, feed, batchSize }
  }).pipe(Effect.mapError(storeFault(placeText(place))))
