import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import type { CommandDoc } from "../CommandDoc.js"
import { databaseFlags, databaseOptions, resolveDatabase } from "../Database.js"
import * as Flag from "../Flag.js"
import { printResult } from "../Output.js"
import { renderJson } from "../sessions/SessionView.js"
import { admin, adminOption, callFailed, neededProxies } from "./Proxies.js"

export const reloadDoc: CommandDoc = {
  path: ["reload"],
  summary: "Restart the workers of a running proxy.",
  about:
    "Starts new workers for all proxies on the database (run --workers), and lets the old ones finish what they have " +
    "begun. New workers read the program, certificates and tokens from the disk again. Flags and variables stay as " +
    "they were at the start. If the new workers cannot start, the old ones go on.",
  args: [],
  groups: [
    { title: "Options", flags: [Flag.json, admin] },
    { title: "Database", flags: databaseFlags },
  ],
  examples: [["ss-proxy reload -d /var/lib/ss-proxy/sessions.db", "after an upgrade of the program"]],
}

export const reload = Command.make(
  "reload",
  { json: Flag.isOn(Flag.json), admin: adminOption, database: databaseOptions },
  ({ json, ...choice }) =>
    Effect.gen(function* () {
      const proxies = yield* neededProxies(choice.admin, yield* resolveDatabase(choice.database))
      const reloads = yield* Effect.forEach(proxies, (proxy) => Effect.mapError(proxy.reload(), callFailed))
      if (json) return yield* printResult(renderJson(reloads))
      const lines = reloads.map(
        ({ generation, version, workers }) =>
          `reloaded: ${workers} workers of version ${version} serve by now (generation ${generation})`,
      )
      yield* printResult(lines.join("\n"))
    }),
).pipe(Command.withDescription(reloadDoc.summary))
