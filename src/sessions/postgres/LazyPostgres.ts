import { Data, Effect, Either, Layer } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { IdCase } from "../../domain/Settings.js"
import type { ActivityStore } from "../ActivityStore.js"
import type { SessionRepo } from "../SessionRepo.js"
import type { PostgresPlace } from "./PostgresPlace.js"
import { parsePostgresUrl } from "./PostgresUrl.js"

/** A text is no URL of a PostgreSQL database. `problem`: a phrase that has nothing of the URL that could be a password. */
export class PostgresUrlInvalid extends Data.TaggedError("PostgresUrlInvalid")<{ readonly problem: string }> {
  override get message(): string {
    return `This is no URL of a PostgreSQL database: ${this.problem}.`
  }
}

/** A database of a program that embeds the proxy. */
export interface PostgresStoreOptions {
  /** `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, as libpq has it, or what `parsePostgresUrl` made of it. */
  readonly database: string | PostgresPlace
  /** Where changes are heard of, if not there: where `database` is a pooler, the server behind it. */
  readonly listen?: string | PostgresPlace
  /** `fold`: makes an index for ids without regard to their case. For the setting `idCase`. */
  readonly idCase?: IdCase
  /** How long to wait at the start for a database that cannot be reached, in milliseconds; 0 unless said otherwise. */
  readonly patience?: number
}

const placeOf = (database: string | PostgresPlace): Effect.Effect<PostgresPlace, PostgresUrlInvalid> =>
  typeof database === "string"
    ? Either.mapLeft(parsePostgresUrl(database), (problem) => new PostgresUrlInvalid({ problem }))
    : Effect.succeed(database)

/**
 * Sessions in a PostgreSQL database that other programs, and other proxies, read and write at the same time. It makes the
 * tables that are missing, and hears of changes. The driver is loaded only when this Layer is built.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { layerPostgres, layerProxy, ProxyConfig } from "ss-proxy"
 *
 * export const proxy = layerProxy.pipe(
 *   Layer.provide(layerPostgres({ database: "postgres://app@db.example/app", patience: 10_000 })),
 *   Layer.provide(ProxyConfig.layer({ port: 8080 })),
 * )
 * ```
 */
export const layerPostgres = ({
  database,
  listen,
  ...options
}: PostgresStoreOptions): Layer.Layer<SessionRepo, StoreUnavailable | PostgresUrlInvalid> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const place = yield* placeOf(database)
      const listenPlace = listen === undefined ? undefined : { ...(yield* placeOf(listen)), schema: place.schema }
      const store = yield* Effect.promise(() => import("./PostgresSessionRepo.js"))
      return store.layerPostgres({ ...options, place, feed: listenPlace === undefined ? {} : { listenPlace } })
    }),
  )

/**
 * When sessions were last active, in a table of the same database. Provide it to the proxy together with `layerPostgres`.
 */
export const layerPostgresActivity = ({
  database,
}: Pick<PostgresStoreOptions, "database">): Layer.Layer<ActivityStore, PostgresUrlInvalid> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const place = yield* placeOf(database)
      const store = yield* Effect.promise(() => import("./PostgresActivityStore.js"))
      return store.layerPostgresActivity({ place })
    }),
  )
