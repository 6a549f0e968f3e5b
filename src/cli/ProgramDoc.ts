import { dashboardDoc } from "./admin/Dashboard.js"
import { errorsDoc } from "./admin/Errors.js"
import { explainDoc } from "./admin/Explain.js"
import { tailDoc } from "./admin/Tail.js"
import { checkDoc } from "./check/Check.js"
import type { CommandDoc } from "./CommandDoc.js"
import { healthDoc } from "./Health.js"
import { runGroups } from "./ProgramFlags.js"
import { runDoc } from "./Run.js"
import { sessionsDocs } from "./Sessions.js"
import { topDoc } from "./top/Top.js"

export const programDoc: CommandDoc = {
  path: [],
  summary: "A session-routing reverse proxy.",
  about:
    "A reverse proxy that routes by session: a request for /ID/PATH goes to PATH on the server that the session ID " +
    "names, a WebSocket for /ws/ID too. Without a command it runs the proxy.",
  args: [],
  groups: runGroups,
  runsOn: true,
  examples: [
    ["ss-proxy sessions add my-session http://localhost:9000", "names the server of a session"],
    ["ss-proxy run", "runs the proxy; http://localhost:8080/my-session/… now goes to port 9000"],
    ["ss-proxy run --demo", "tries it without a server of your own"],
    ["ss-proxy sessions --help", "more on sessions"],
  ],
}

/** Every command; the first is the program itself. */
export const docs: ReadonlyArray<CommandDoc> = [
  programDoc,
  runDoc,
  healthDoc,
  ...sessionsDocs,
  topDoc,
  tailDoc,
  errorsDoc,
  explainDoc,
  checkDoc,
  dashboardDoc,
]
