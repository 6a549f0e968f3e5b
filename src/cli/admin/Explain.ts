import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Layer } from "effect"
import type { ExplainView } from "../../admin/api/ExplainView.js"
import type { ExplainQuery } from "../../admin/process/Explain.js"
import { explainQueryOf } from "../../admin/calls/ExplainQuery.js"
import { defaultSettings, ProxyConfig } from "../../domain/ProxyConfig.js"
import { onOrOff, text } from "../../domain/Reading.js"
import { settings } from "../../domain/Settings.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type DatabaseChoice, databaseFlags, databaseOptions, readingDatabase, resolveDatabase } from "../Database.js"
import { CommandFailed, UsageError } from "../Failure.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { printable } from "../../wire/PrintableText.js"
import { renderJson } from "../sessions/SessionView.js"
import type { AdminCalls } from "./AdminClient.js"
import { admin, adminOption, callFailed, runningProxies } from "./Proxies.js"

const method: Flag.Flag<string> = {
  name: "request",
  alias: "X",
  reading: text("METHOD"),
  about: "The method of the request.",
  fallback: "GET",
}

const webSocket: Flag.Flag<boolean> = {
  name: "websocket",
  reading: onOrOff,
  about: "A WebSocket handshake. A URL that begins with ws:// or wss:// is one.",
}

const sessionHosts = {
  ...Flag.flagOf(settings.sessionHosts),
  about: "The proxy's --session-hosts, where none runs: names below which each session has one of its own.",
}

export const explainDoc: CommandDoc = {
  path: ["explain"],
  summary: "Say what would become of a request.",
  about:
    "Says step by step where a request would go, or why not. Nothing is sent. A running proxy is asked; without one the " +
    "database alone tells, with the default settings. Exits with 1 if the request would not be forwarded.",
  args: [{ name: "URL", about: "The URL of the request, or its path." }],
  groups: [
    { title: "Options", flags: [method, webSocket, sessionHosts, Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy explain http://localhost:8080/my-session/api?x=1", "where this request goes"],
    ["ss-proxy explain /ws/my-session --websocket", "the same of a WebSocket, by its path"],
  ],
}

type Explanation = typeof ExplainView.Type

/** What the first of the running proxies says. */
const askProxy = (proxy: AdminCalls, url: string, { method, upgrades }: ExplainQuery) =>
  Effect.mapError(
    proxy.explain({ urlParams: { method, url, ...(upgrades && { upgrade: "websocket" as const }) } }),
    callFailed,
  )

/** What the database alone says, by the same code. It is loaded only here. */
const askDatabase = (query: ExplainQuery, hosts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const [{ Explain }, { SessionDirectory }, { Slots }, { Traffic }] = yield* Effect.promise(() =>
      Promise.all([
        import("../../admin/process/Explain.js"),
        import("../../sessions/SessionDirectory.js"),
        import("../../traffic/Slots.js"),
        import("../../traffic/Traffic.js"),
      ]),
    )
    const alone = Explain.layer.pipe(
      Layer.provide(Slots.layer),
      Layer.provide([SessionDirectory.layer, Traffic.layer]),
      Layer.provide(ProxyConfig.layerOf({ ...defaultSettings, sessionHosts: hosts })),
    )
    return yield* Effect.provide(
      Effect.flatMap(Explain, ({ explain }) => explain(query)),
      alone,
    )
  })

const linesOf = ({ steps, target, verdict }: Explanation): ReadonlyArray<string> => [
  ...steps.slice(0, -1).map((step) => `  ${step}`),
  verdict.forwards
    ? `→ forwards to ${target}`
    : `→ ${[verdict.status, verdict.code].filter((part) => part !== null).join(" ")}: ${verdict.detail}`,
]

/** What is to be explained, and what the database alone cannot tell. */
interface Asked {
  readonly url: string
  readonly query: ExplainQuery
  readonly hosts: ReadonlyArray<string>
}

/** Where a proxy runs the database need not be there. */
const explainWith = (proxies: ReadonlyArray<AdminCalls>, database: DatabaseChoice, { hosts, query, url }: Asked) =>
  Effect.gen(function* () {
    const [first] = proxies
    if (first !== undefined) return yield* askProxy(first, url, query)
    yield* printDiagnostic(
      "note: no proxy runs on this database, or none with an admin socket beside it (--admin names another), " +
        "so this is what the database alone says, with the default settings",
    )
    return yield* readingDatabase(database, () => askDatabase(query, hosts))
  })

const queryOf = (url: string, method: string, isWebSocket: boolean): Effect.Effect<ExplainQuery, UsageError> => {
  const query = explainQueryOf({ url, method, ...(isWebSocket && { upgrade: "websocket" }) })
  return query === undefined
    ? new UsageError({ message: `${JSON.stringify(method)} is no method of HTTP; see ss-proxy explain --help` })
    : Effect.succeed(query)
}

export const explain = Command.make(
  "explain",
  {
    url: Args.text({ name: "URL" }),
    method: Flag.optionOr(method, "GET"),
    isWebSocket: Flag.isOn(webSocket),
    hosts: Flag.optionOr(sessionHosts, defaultSettings.sessionHosts),
    json: Flag.isOn(Flag.json),
    admin: adminOption,
    database: databaseOptions,
  },
  ({ hosts, isWebSocket, json, method, url, ...choice }) =>
    Effect.gen(function* () {
      const query = yield* queryOf(url, method, isWebSocket)
      const proxies = yield* runningProxies(choice.admin, yield* resolveDatabase(choice.database))
      const explained: Explanation = yield* explainWith(proxies, choice.database, { url, query, hosts })
      yield* printResult(json ? renderJson(explained) : linesOf(explained).map(printable).join("\n"))
      if (!explained.verdict.forwards)
        return yield* new CommandFailed({
          code: "not_forwarded",
          problem: "this request would not be forwarded",
          hint: explained.verdict.code === null ? "the proxy answers it itself" : `see docs/ERRORS.md`,
        })
    }),
).pipe(Command.withDescription(explainDoc.summary))
