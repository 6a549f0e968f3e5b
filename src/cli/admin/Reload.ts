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
  summary: "Start the workers of a running proxy anew.",
  about:
    "Starts the workers of all proxies on the database anew (run --workers). They read the program, certificates and tokens " +
    "as they are on the disk by now; then the old workers finish what they have begun. Flags and variables stay those of the " +
    "start. If the new workers cannot start, the old ones go on.",
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
