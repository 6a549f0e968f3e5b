import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import { Effect, Option } from "effect"
import type { ErrorView } from "../../admin/api/ProxyViews.js"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printDiagnostic, printResult } from "../Output.js"
import { type Style, styleOf } from "../Style.js"
import { renderTable, terminalWidth } from "../Table.js"
import { renderJson } from "../sessions/SessionView.js"
import { admin, adminOption, callFailed, neededProxies } from "./Proxies.js"

export const errorsDoc: CommandDoc = {
  path: ["errors"],
  summary: "Show what went wrong lately.",
  about:
    "Shows the latest requests that failed because of a session's server or of the proxy, newest first. Each running " +
    "proxy remembers 200. Mistakes of clients are not shown.",
  args: [{ name: "ID", about: "Only those of this session.", optional: true }],
  groups: [
    { title: "Options", flags: [Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [
    ["ss-proxy errors", "of all sessions"],
    ["ss-proxy errors my-session --json", "of one, for a program"],
  ],
}

type Failure = typeof ErrorView.Type

const errorTable = (errors: ReadonlyArray<Failure>, style: Style, lineWidth: number | undefined): string =>
  renderTable(
    [
      { title: "TIME", cells: errors.map(({ time }) => `${time.slice(0, 19)}Z`), colour: () => style.dim },
      { title: "SESSION", cells: errors.map(({ session }) => session ?? "-") },
      { title: "STATUS", cells: errors.map(({ status }) => (status === 0 ? "-" : String(status))) },
      {
        title: "CAUSE",
        cells: errors.map(({ code, reason }) => (reason === null ? code : `${code} (${reason})`)),
        colour: () => style.red,
      },
      { title: "SERVER", cells: errors.map(({ server }) => server ?? "-") },
      { title: "REQUEST", cells: errors.map(({ method, target }) => `${method} ${target}`) },
    ],
    style,
    lineWidth,
  )

const byTime = (one: Failure, other: Failure): number => (one.time < other.time ? 1 : one.time > other.time ? -1 : 0)

export const errors = Command.make(
  "errors",
  {
    id: Args.optional(Args.text({ name: "ID" })),
    json: Flag.isOn(Flag.json),
    admin: adminOption,
    database: databaseOptions,
  },
  ({ id, json, ...choice }) =>
    Effect.gen(function* () {
      const proxies = yield* neededProxies(choice.admin, yield* resolveDatabase(choice.database))
      const urlParams = { limit: 200, ...(Option.isSome(id) && { session: id.value }) }
      const rings = yield* Effect.forEach(proxies, (proxy) => Effect.mapError(proxy.errors({ urlParams }), callFailed))
      const all = rings.flatMap(({ errors }) => errors).sort(byTime)
      if (json) return yield* printResult(renderJson(all))
      if (all.length === 0) return yield* printDiagnostic("nothing went wrong lately")
      const { stdout } = process
      yield* printResult(errorTable(all, styleOf(stdout), terminalWidth(stdout)))
    }),
).pipe(Command.withDescription(errorsDoc.summary))
