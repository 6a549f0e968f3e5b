import * as Command from "@effect/cli/Command"
import { Effect, Either, Option } from "effect"
import { request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"
import { defaultSettings } from "../domain/ProxyConfig.js"
import { text } from "../domain/Reading.js"
import { settings } from "../domain/Settings.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import { answered } from "./admin/Proxies.js"
import type { CommandDoc } from "./CommandDoc.js"
import { type DatabaseChoice, databaseFlags, databaseOptions, resolveDatabase } from "./Database.js"
import { CommandFailed, UsageError } from "./Failure.js"
import * as Flag from "./Flag.js"
import { printResult } from "./Output.js"
import { renderJson } from "./sessions/SessionView.js"

/** Time for the answer, in milliseconds. */
const timeout = 2_000

const url: Flag.Flag<string> = {
  name: "url",
  reading: text("URL"),
  about: "The proxy to ask; /health is added where the URL has no path.",
}

const addressFlags = [Flag.flagOf(settings.host), Flag.flagOf(settings.port)] as const

export const healthDoc: CommandDoc = {
  path: ["health"],
  summary: "Ask a running proxy for its health.",
  about:
    "Asks whether a proxy takes requests, and waits 2 seconds at most. Exit code 0 if it does, 1 if it does not or is " +
    "stopping. For the health check of a container without curl. It asks for /readyz on the admin sockets beside the " +
    "database: all proxies there have to be up. With --url, --host or --port, or if there is no socket, it asks for " +
    "/health there.",
  args: [],
  groups: [
    { title: "Options", flags: [url, Flag.json] },
    { title: "Listening", flags: addressFlags },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy health", 'the proxy of this container: HEALTHCHECK CMD ["ss-proxy", "health"]'],
    ["ss-proxy health --url http://proxy.internal:8080", "another one"],
    ["ss-proxy health -d /data/sessions.db --json", "the proxies on a database, for a program"],
  ],
}

/** An address to ask for one to listen on: all addresses include the loopback address. */
const reachable = (host: string): string => {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host
  return address.includes(":") ? `[${address}]` : address
}

const healthUrl = (given: string): Either.Either<URL, UsageError> => {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    return Either.left(
      new UsageError({
        message: `--url is ${JSON.stringify(redactUrl(given))}; it must be a URL such as http://localhost:8080, without user name`,
      }),
    )
  if (url.pathname === "/") url.pathname = "/health"
  return Either.right(url)
}

/** What is asked: a URL, or a path on an admin socket. */
type Place = { readonly url: URL } | { readonly socket: string }

/** What became of asking there. `status`: 0 where nothing was answered. */
interface Asked {
  readonly at: string
  readonly up: boolean
  readonly status: number
  readonly problem: string | null
  readonly hint: string
}

const shownPlace = (place: Place): string => ("url" in place ? redactUrl(place.url.href) : place.socket)

const requestTo = (place: Place) => {
  if ("socket" in place) return httpRequest({ socketPath: place.socket, path: "/readyz", headers: { host: "admin" } })
  return place.url.protocol === "https:" ? httpsRequest(place.url) : httpRequest(place.url)
}

/** The status of the answer. A redirect is one, and not that of a proxy that is up. */
const statusOf = (place: Place): Effect.Effect<number, string> =>
  Effect.async<number, string>((resume) => {
    const request = requestTo(place)
    request.once("response", ({ statusCode = 0 }) => resume(Effect.succeed(statusCode)))
    request.on("error", (error) => resume(Effect.fail("code" in error ? String(error.code) : error.message)))
    request.end()
    return Effect.sync(() => request.destroy())
  }).pipe(Effect.timeoutFail({ duration: timeout, onTimeout: () => `no answer within ${timeout / 1_000} s` }))

const ask = (place: Place): Effect.Effect<Asked> => {
  const at = shownPlace(place)
  return Effect.match(statusOf(place), {
    onFailure: (reason) => ({
      at,
      up: false,
      status: 0,
      problem: `${at} cannot be asked: ${reason}`,
      hint: "check that the proxy runs there",
    }),
    onSuccess: (status) => ({
      at,
      up: status === 200,
      status,
      problem: status === 200 ? null : `${at} answers ${status}`,
      hint: status === 503 ? "the proxy stops, or is not ready" : "check that this is the proxy",
    }),
  })
}

/** What the command line says. */
interface HealthChoice {
  readonly url: Option.Option<string>
  readonly host: Option.Option<string>
  readonly port: Option.Option<number>
  readonly database: DatabaseChoice
}

/** Whom to ask: what is named, else the sockets beside the database, else where `run` would listen. */
const placesOf = (given: HealthChoice): Effect.Effect<ReadonlyArray<Place>, UsageError> =>
  Effect.gen(function* () {
    const isNamed = Option.isSome(given.url) || Option.isSome(given.host) || Option.isSome(given.port)
    const sockets = isNamed ? [] : yield* answered(yield* resolveDatabase(given.database))
    if (sockets.length > 0) return sockets.map(({ path }) => ({ socket: path }))
    const host = Option.getOrElse(given.host, () => defaultSettings.host)
    const port = Option.getOrElse(given.port, () => defaultSettings.port)
    if (Option.isNone(given.url) && port === 0)
      return yield* new UsageError({ message: "--port is 0, which is another one each time; give --url" })
    return [{ url: yield* healthUrl(Option.getOrElse(given.url, () => `http://${reachable(host)}:${port}`)) }]
  })

const jsonOf = (all: ReadonlyArray<Asked>): string =>
  renderJson({
    up: all.every(({ up }) => up),
    proxies: all.map(({ at, problem, status, up }) => ({ at, up, status: status === 0 ? null : status, problem })),
  })

export const health = Command.make(
  "health",
  {
    url: Flag.option(url),
    host: Flag.option(addressFlags[0]),
    port: Flag.option(addressFlags[1]),
    json: Flag.isOn(Flag.json),
    database: databaseOptions,
  },
  ({ json, ...given }) =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(yield* placesOf(given), ask, { concurrency: "unbounded" })
      if (json) yield* printResult(jsonOf(all))
      else for (const { at, up } of all) if (up) yield* printResult(`${at} is up`)
      const failed = all.find(({ up }) => !up)
      if (failed !== undefined)
        return yield* new CommandFailed({ code: "not_ready", problem: failed.problem ?? failed.at, hint: failed.hint })
    }),
).pipe(Command.withDescription(healthDoc.summary))
