import * as Command from "@effect/cli/Command"
import { Effect } from "effect"
import { LogControl } from "../../log/LogControl.js"
import { coreCount } from "../../workers/CoreCount.js"
import { type AccessLogOutput, openAccessLog } from "./AccessLogOutput.js"
import { AsWorker } from "./AsWorker.js"
import type { CommandDoc } from "../CommandDoc.js"
import { inheritedSocket } from "./InheritedSocket.js"
import { callOffEnd } from "./LastResort.js"
import { openLog, type ProgramLog } from "../Log.js"
import { runGroups } from "../ProgramFlags.js"
import { resolveChoice, type RunChoice, runOptions } from "./RunChoice.js"
import { followSignals } from "./SignalLog.js"
import { stopSignals } from "../StopSignal.js"
import { warnOfUnknownVariables } from "../UnknownVariables.js"
import { untilStopped } from "./UntilStopped.js"

export const runDoc: CommandDoc = {
  path: ["run"],
  summary: "Run the proxy. This is also what ss-proxy does without a command.",
  about:
    "Runs the proxy until SIGTERM or SIGINT. Then /health answers 503, requests in flight may finish within the grace " +
    "period, and WebSockets are closed. A second signal cuts at once. A flag overrides its variable.",
  args: [],
  groups: runGroups,
  examples: [
    ["ss-proxy run --demo", "starts a demo server too, and prints what to try"],
    ["ss-proxy run --port 9000 --db-path /var/lib/ss-proxy/sessions.db", "another port, another database"],
    ["ss-proxy run --workers auto", "a process for each core"],
    ["SS_PROXY_LOG_LEVEL=debug ss-proxy run --timeout 120", "settings by variable and by flag"],
  ],
  runsOn: true,
}

/** Starts the proxy as the flags say, and gives what runs it until it is told to stop. The server is loaded only here. */
const startProxy = (given: RunChoice, accessLog: AccessLogOutput) =>
  Effect.gen(function* () {
    yield* warnOfUnknownVariables
    const listenOn = yield* inheritedSocket(given.settings)
    const resolved = yield* resolveChoice(given)
    const { serve } = yield* Effect.promise(() => import("./Serve.js"))
    return yield* serve({ ...resolved, accessLog, listenOn })
  })

const serveUntilStopped = (
  given: RunChoice,
  accessLog: AccessLogOutput,
  { level, setLevel, toggleDebug }: ProgramLog,
) =>
  Effect.gen(function* () {
    const signals = yield* stopSignals
    yield* followSignals({ reopen: accessLog.reopen, toggleDebug, reload: undefined })
    const control = { level, setLevel, reopen: accessLog.reopen }
    yield* untilStopped(signals, Effect.provideService(startProxy(given, accessLog), LogControl, control))
  })

/** The same with an access log. What that and the log still hold may go out, when all else has ended. */
const withAccessLog = (given: RunChoice, log: ProgramLog) =>
  Effect.gen(function* () {
    const accessLog = yield* openAccessLog(given.accessLog, log, given.settings.logQuery)
    yield* Effect.scoped(serveUntilStopped(given, accessLog, log))
    yield* callOffEnd
  })

const runAlone = (given: RunChoice, log: ProgramLog) => Effect.scoped(withAccessLog(given, log))

/** Several processes, where more than one is asked for and there can be more. */
const runMany = (given: RunChoice, log: ProgramLog) =>
  Effect.gen(function* () {
    const { workersOf, supervised } = yield* Effect.promise(() => import("./Supervised.js"))
    const count = yield* workersOf(given.workers === "auto" ? { most: coreCount() } : { exactly: given.workers })
    yield* count === 1 ? runAlone(given, log) : supervised(given, log, count)
  })

const runProxy = (given: RunChoice) =>
  Effect.gen(function* () {
    const role = yield* AsWorker
    if (role !== undefined) {
      const { work } = yield* Effect.promise(() => import("./Work.js"))
      return yield* work(given, role)
    }
    const log = yield* openLog(given.log)
    const run = given.workers === 1 ? runAlone(given, log) : runMany(given, log)
    yield* Effect.provide(Effect.zipRight(run, Effect.logInfo("stopped")), log.layer)
  }).pipe(Effect.scoped)

export const run = Command.make("run", runOptions, runProxy).pipe(Command.withDescription(runDoc.summary))
