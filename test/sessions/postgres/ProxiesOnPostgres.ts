import { Effect, Either, type Scope } from "effect"
import { get } from "node:http"
import type { ProxySettings } from "../../../src/domain/ProxyConfig.js"
import type { FeedTimes } from "../../../src/sessions/postgres/PostgresFeed.js"
import type { PostgresPlace } from "../../../src/sessions/postgres/PostgresPlace.js"
import { layerPostgres } from "../../../src/sessions/postgres/PostgresSessionRepo.js"
import { parsePostgresUrl } from "../../../src/sessions/postgres/PostgresUrl.js"
import { HttpOrigin } from "../../support/HttpOrigin.js"
import { startProxy } from "../../support/TestProxy.js"

/** As a proxy has them, but for how often it asks whether the server is there. */
export const quick: Partial<FeedTimes> = { heartbeat: 100, answer: 400 }

/** The place that a URL names. */
export const placeOf = (url: string): PostgresPlace =>
  Either.getOrThrowWith(
    parsePostgresUrl(url, { variables: {}, userName: undefined, home: undefined, socketFolder: undefined }),
    (problem) => new Error(problem),
  )

export interface OnPostgres {
  readonly settings?: Partial<ProxySettings>
  readonly times?: Partial<FeedTimes>
}

/** A proxy over a database. */
export const startOn = (url: string, { settings = {}, times = quick }: OnPostgres = {}) =>
  startProxy({ repo: layerPostgres({ place: placeOf(url), feed: { times } }), settings })

/** A session's server that says its name. */
export const named = (name: string): Effect.Effect<HttpOrigin, never, Scope.Scope> =>
  HttpOrigin.start((_request, response) => response.end(name))

/** The answer to a request with a connection of its own: its status and content. */
export const asked = (base: string, path: string): Effect.Effect<{ readonly status: number; readonly text: string }> =>
  Effect.async((resume) => {
    const request = get(`${base}${path}`, { agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (piece: string) => (text += piece))
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, text })))
    })
    request.on("error", (error) => resume(Effect.die(error)))
    return Effect.sync(() => request.destroy())
  })
