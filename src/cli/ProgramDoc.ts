import { dashboardDoc } from "./admin/Dashboard.js"
import { errorsDoc } from "./admin/Errors.js"
import { explainDoc } from "./admin/Explain.js"
import { reloadDoc } from "./admin/Reload.js"
import { tailDoc } from "./admin/Tail.js"
import { checkDoc } from "./check/Check.js"
import type { CommandDoc } from "./CommandDoc.js"
import { settings } from "../domain/Settings.js"
import { flagOf } from "./Flag.js"
import { healthDoc } from "./Health.js"
import { dbPath, runGroups } from "./ProgramFlags.js"
import { runDoc } from "./run/Run.js"
import { sessionsDocs } from "./Sessions.js"
import { topDoc } from "./top/Top.js"

export const programDoc: CommandDoc = {
  path: [],
  summary: "A session-routing reverse proxy.",
  about: "Routes by session: a request for /ID/PATH goes to PATH on the server of ID.",
  args: [],
  groups: runGroups,
  firstFlags: [flagOf(settings.port), flagOf(settings.host), { ...dbPath, about: "Database of sessions." }],
  runsOn: true,
  examples: [
    ["ss-proxy run --demo", "try it, with a demo server"],
    ["ss-proxy sessions add app http://localhost:9000", "requests for /app/… go there"],
    ["ss-proxy run", "serve http://localhost:8080/"],
  ],
}

/** Every command; the first is the program itself. */
export const docs: ReadonlyArray<CommandDoc> = [
  programDoc,
  runDoc,
  ...sessionsDocs,
  topDoc,
  tailDoc,
  errorsDoc,
  explainDoc,
  checkDoc,
  healthDoc,
  dashboardDoc,
  reloadDoc,
]
