import * as Command from "@effect/cli/Command"
import { Effect, Either, Option } from "effect"
import { defaultSettings } from "../domain/ProxyConfig.js"
import { text } from "../domain/Reading.js"
import { settings } from "../domain/Settings.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import type { CommandDoc } from "./CommandDoc.js"
import { CommandFailed, UsageError } from "./Failure.js"
import * as Flag from "./Flag.js"
import { printResult } from "./Output.js"

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
    "Asks GET /health, for 2 seconds at most, and says on one line what came: exit code 0 if the proxy is up, 1 if it is " +
    "not, or stops. For the health check of a container without curl. Without --url it asks this machine, at the host and " +
    "the port that run would listen on.",
  args: [],
  groups: [
    { title: "Options", flags: [url] },
    { title: "Listening", flags: addressFlags },
  ],
  examples: [
    ["ss-proxy health", 'the proxy of this container: HEALTHCHECK CMD ["ss-proxy", "health"]'],
    ["ss-proxy health --url http://proxy.internal:8080", "another one"],
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

const reasonOf = (cause: unknown): string => {
  if (cause instanceof Error && cause.name === "TimeoutError") return `no answer within ${timeout / 1_000} s`
  const inner = cause instanceof Error ? cause.cause : undefined
  if (!(inner instanceof Error)) return cause instanceof Error ? cause.message : "unknown error"
  return "code" in inner ? String(inner.code) : inner.message
}

const ask = (url: URL): Effect.Effect<void, CommandFailed> =>
  Effect.gen(function* () {
    const shown = redactUrl(url.href)
    const answer = yield* Effect.tryPromise({
      // A redirect is an answer, and not that of a proxy that is up.
      try: () => fetch(url, { redirect: "manual", signal: AbortSignal.timeout(timeout) }),
      catch: (cause) =>
        new CommandFailed({
          problem: `${shown} cannot be asked: ${reasonOf(cause)}`,
          hint: "see whether the proxy runs there",
        }),
    })
    yield* Effect.promise(() => answer.body?.cancel() ?? Promise.resolve())
    if (answer.status !== 200)
      return yield* new CommandFailed({
        problem: `${shown} answers ${answer.status}`,
        hint: answer.status === 503 ? "the proxy stops, or is not ready" : "see whether this is the proxy",
      })
    yield* printResult(`${shown} is up`)
  })

export const health = Command.make(
  "health",
  {
    url: Flag.option(url),
    host: Flag.optionOr(addressFlags[0], defaultSettings.host),
    port: Flag.optionOr(addressFlags[1], defaultSettings.port),
  },
  ({ host, port, ...given }) =>
    Effect.gen(function* () {
      if (Option.isNone(given.url) && port === 0)
        return yield* new UsageError({ message: "--port is 0, which is another one each time; give --url" })
      yield* ask(yield* healthUrl(Option.getOrElse(given.url, () => `http://${reachable(host)}:${port}`)))
    }),
).pipe(Command.withDescription(healthDoc.summary))
