import { Effect, Either, Layer } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { inject } from "vitest"
import type { PostgresPlace } from "../../src/sessions/postgres/PostgresPlace.js"
import { layerPostgresActivity } from "../../src/sessions/postgres/PostgresActivityStore.js"
import { layerPostgres } from "../../src/sessions/postgres/PostgresSessionRepo.js"
import { parsePostgresUrl } from "../../src/sessions/postgres/PostgresUrl.js"
import { newDatabase, runIn, type ServerPlace, urlOf } from "./PostgresServer.js"

/** The server that all tests share which do not end it. */
export const sharedPostgres: Effect.Effect<ServerPlace> = Effect.promise(async () => {
  const socket = connect(inject("postgres"))
  await once(socket, "connect")
  const place: ServerPlace & { readonly error?: string } = JSON.parse(await text(socket))
  if (place.error !== undefined) throw new Error(place.error)
  return place
})

/** An empty database there. */
export interface TestDatabase {
  readonly url: string
  readonly name: string
  readonly server: ServerPlace
  /** Runs statements in it, as its superuser; gives the rows of the last one. */
  readonly run: (...statements: ReadonlyArray<string>) => ReturnType<typeof runIn>
}

/** A database of its own on the shared server, or on another. */
export const testDatabase = (server: Effect.Effect<ServerPlace> = sharedPostgres): Effect.Effect<TestDatabase> =>
  Effect.gen(function* () {
    const place = yield* server
    const name = yield* newDatabase(place)
    return { url: urlOf(place, name), name, server: place, run: (...statements) => runIn(place, name, ...statements) }
  })

/** The place that a URL names. */
export const placeAt = (url: string): PostgresPlace =>
  Either.getOrThrowWith(parsePostgresUrl(url), (problem) => new Error(problem))

/** A store of activity in an empty database of its own. */
export const layerNewPostgresActivity = Layer.unwrapEffect(
  Effect.map(testDatabase(), ({ url }) => layerPostgresActivity({ place: placeAt(url) })),
)

/** A store in an empty database of its own. */
export const layerNewPostgres = Layer.unwrapEffect(
  Effect.map(testDatabase(), ({ url }) => layerPostgres({ place: placeAt(url) })),
)
