import * as Command from "@effect/cli/Command"
import { Effect, Queue } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import { adminTokens } from "./AdminVariables.js"
import type { CommandDoc } from "./CommandDoc.js"
import { type DatabaseChoice, databaseOptions, resolveDatabase } from "./Database.js"
import { resolveTls, type TlsChoice, tlsOptions } from "./DownstreamChoice.js"
import { isOn, optionOr } from "./Flag.js"
import { endProcessWithin, endTime } from "./LastResort.js"
import { layerLog } from "./Log.js"
import { demo, logLevel, type LogThreshold, runGroups } from "./ProgramFlags.js"
import { settingOptions } from "./SettingOptions.js"
import { logIgnoredSignals } from "./SignalLog.js"
import { stopSignals } from "./StopSignal.js"
import { resolveTraces } from "./traces/Traces.js"

/** Every flag of `run`. */
const runOptions = {
  settings: settingOptions,
  tls: tlsOptions,
  database: databaseOptions,
  demo: isOn(demo),
  logLevel: optionOr(logLevel, "info"),
}

/** What was given for them. */
interface RunChoice {
  readonly settings: ProxySettings
  readonly tls: TlsChoice
  readonly database: DatabaseChoice
  readonly demo: boolean
  readonly logLevel: LogThreshold
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

/** Starts the proxy as the flags say, and gives what runs it until it is told to stop. The server is loaded only here. */
const startProxy = ({ settings, demo, ...given }: RunChoice) =>
  Effect.gen(function* () {
    const tls = yield* resolveTls(given.tls)
    const traces = yield* resolveTraces
    const database = yield* resolveDatabase(given.database)
    const tokens = yield* adminTokens
    const { serve } = yield* Effect.promise(() => import("./Serve.js"))
    return yield* serve({ settings: { ...settings, ...tokens }, tls, traces, database, demo })
  })

/** Runs the proxy until a signal says to stop, which may be before it has started. */
const runProxy = (given: RunChoice) => {
  const untilStopped = Effect.gen(function* () {
    const signals = yield* stopSignals
    yield* logIgnoredSignals
    const started = Effect.map(startProxy(given), (run) => run(signals))
    const stopped = Effect.zipRight(Queue.take(signals), endProcessWithin(endTime, Effect.succeed([])))
    yield* Effect.flatten(Effect.raceFirst(started, Effect.as(stopped, Effect.void)))
  })
  return Effect.scoped(untilStopped).pipe(
    Effect.zipRight(Effect.logInfo("stopped")),
    Effect.provide(layerLog(given.logLevel)),
  )
}

export const run = Command.make("run", runOptions, runProxy).pipe(Command.withDescription(runDoc.summary))
