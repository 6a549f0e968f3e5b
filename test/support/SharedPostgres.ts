import { Effect } from "effect"
import { once } from "node:events"
import { connect } from "node:net"
import { text } from "node:stream/consumers"
import { inject } from "vitest"
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
