import { Effect } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { localUrl } from "../../server/Listening.js"
import type { Database } from "../Database.js"
import { whatToTry } from "./Demo.js"
import { printResult } from "../Output.js"
import { databaseFlag, programName } from "../ProgramName.js"

/** Where the proxy listens. */
interface Listening {
  readonly host: string
  readonly port: number
}

/** What is said when the proxy has come up. `workers`: how many processes listen. */
export const announce = (
  { host, port }: Listening,
  database: Database,
  sessions: number,
  workers = 1,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const by = workers === 1 ? "" : ` with ${workers} workers`
    yield* Effect.logInfo(`listening on ${localUrl({ host, port })}${by}; stop with Ctrl-C or SIGTERM`).pipe(
      Effect.annotateLogs({ host, port, database: database.shown, sessions }),
    )
    if (sessions === 0)
      yield* Effect.logInfo(
        `no sessions yet; add one: ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database)}`,
      )
  })

/** Prints what to try of the demo server. */
export const printWhatToTry = (
  { host, port }: Listening,
  database: Database,
  { sessionHosts: hosts }: ProxySettings,
): Effect.Effect<void> => printResult(whatToTry({ url: localUrl({ host, port }), port, hosts, database }))
