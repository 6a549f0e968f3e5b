import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { Effect, type Option, Queue } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import { adminTokens } from "./AdminVariables.js"
import type { CommandDoc } from "./CommandDoc.js"
import { type DatabaseChoice, databaseOptions, listeningAt, resolveDatabase } from "./Database.js"
import { resolveTls, type TlsChoice, tlsOptions } from "./DownstreamChoice.js"
import { isOn, optionOr, words } from "./Flag.js"
import { inheritedSocket } from "./InheritedSocket.js"
import { type AccessLogOutput, openAccessLog } from "./AccessLogOutput.js"
import { LogControl } from "../log/LogControl.js"
import { callOffEnd, endProcessWithin, endTime } from "./LastResort.js"
import { type LogChoice, openLog, type ProgramLog } from "./Log.js"
import { accessLog, dbListen, demo, logFormat, logLevel, runGroups } from "./ProgramFlags.js"
import { settingOptions } from "./SettingOptions.js"
import { followSignals } from "./SignalLog.js"
import { stopSignals } from "./StopSignal.js"
import { resolveTraces } from "./traces/Traces.js"
import { warnOfUnknownVariables } from "./UnknownVariables.js"

/** Every flag of `run`. */
const runOptions = {
  settings: settingOptions,
  tls: tlsOptions,
  database: databaseOptions,
  dbListen: words(dbListen),
  demo: isOn(demo),
  log: Options.all({ level: optionOr(logLevel, "info"), format: optionOr(logFormat, "pretty") }),
  accessLog: optionOr(accessLog, "off"),
}

/** What was given for them. */
interface RunChoice {
  readonly settings: ProxySettings
  readonly tls: TlsChoice
  readonly database: DatabaseChoice
  readonly dbListen: Option.Option<string>
  readonly demo: boolean
  readonly log: LogChoice
  /** Where the access log goes; `off`: nowhere. */
  readonly accessLog: string
}

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
    ["SS_PROXY_LOG_LEVEL=debug ss-proxy run --timeout 120", "settings by variable and by flag"],
  ],
  runsOn: true,
}

/** The demo session has a name of its own, too: browsers look for what is below this on their own machine (RFC 6761 section 6.3). */
const demoHosts: ReadonlyArray<string> = ["localhost"]

const namesOf = ({ sessionHosts }: ProxySettings, demo: boolean): Partial<ProxySettings> =>
  demo && sessionHosts.length === 0 ? { sessionHosts: demoHosts } : {}

/** Starts the proxy as the flags say, and gives what runs it until it is told to stop. The server is loaded only here. */
const startProxy = ({ settings, demo, ...given }: RunChoice, accessLog: AccessLogOutput) =>
  Effect.gen(function* () {
    yield* warnOfUnknownVariables
    const listenOn = yield* inheritedSocket(settings)
    const tls = yield* resolveTls(given.tls)
    const traces = yield* resolveTraces
    const database = yield* listeningAt(yield* resolveDatabase(given.database), given.dbListen)
    const tokens = yield* adminTokens
    const { serve } = yield* Effect.promise(() => import("./Serve.js"))
    return yield* serve({
      settings: { ...settings, ...namesOf(settings, demo), ...tokens },
      tls,
      traces,
      database,
      demo,
      accessLog,
      listenOn,
    })
  })

/** Runs the proxy until a signal says to stop, which may be before it has started. */
const untilStopped = (given: RunChoice, accessLog: AccessLogOutput, { level, setLevel, toggleDebug }: ProgramLog) =>
  Effect.gen(function* () {
    const signals = yield* stopSignals
    yield* followSignals({ reopen: accessLog.reopen, toggleDebug })
    const control = { level, setLevel, reopen: accessLog.reopen }
    const started = startProxy(given, accessLog).pipe(
      Effect.provideService(LogControl, control),
      Effect.map((run) => run(signals)),
    )
    const stopped = Effect.zipRight(Queue.take(signals), endProcessWithin(endTime, Effect.succeed([])))
    yield* Effect.flatten(Effect.raceFirst(started, Effect.as(stopped, Effect.void)))
  })

/** The same with an access log. What that and the log still hold may go out, when all else has ended. */
const withAccessLog = (given: RunChoice, log: ProgramLog) =>
  Effect.gen(function* () {
    const accessLog = yield* openAccessLog(given.accessLog, log, given.settings.logQuery)
    yield* Effect.scoped(untilStopped(given, accessLog, log))
    yield* callOffEnd
  })

const runProxy = (given: RunChoice) =>
  Effect.scoped(
    Effect.flatMap(openLog(given.log), (log) =>
      Effect.provide(Effect.zipRight(Effect.scoped(withAccessLog(given, log)), Effect.logInfo("stopped")), log.layer),
    ),
  )

export const run = Command.make("run", runOptions, runProxy).pipe(Command.withDescription(runDoc.summary))
