import * as Options from "@effect/cli/Options"
import { Effect, type Option } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { adminTokens } from "../AdminVariables.js"
import { type Database, type DatabaseChoice, databaseOptions, listeningAt, resolveDatabase } from "../Database.js"
import { resolveTls, type TlsChoice, tlsOptions } from "../DownstreamChoice.js"
import type { CommandFailed, UsageError } from "../Failure.js"
import { isOn, optionOr, words } from "../Flag.js"
import type { FollowedTls } from "./FollowedTls.js"
import type { LogChoice } from "../Log.js"
import { accessLog, dbListen, demo, logFormat, logLevel, workers } from "../ProgramFlags.js"
import { settingOptions } from "../SettingOptions.js"
import { resolveTraces } from "../traces/Traces.js"
import type { TraceChoice } from "../traces/TraceVariables.js"

/** Every flag of `run`. */
export const runOptions = {
  settings: settingOptions,
  tls: tlsOptions,
  database: databaseOptions,
  dbListen: words(dbListen),
  demo: isOn(demo),
  workers: optionOr(workers, 1),
  log: Options.all({ level: optionOr(logLevel, "info"), format: optionOr(logFormat, "pretty") }),
  accessLog: optionOr(accessLog, "off"),
}

/** What was given for them. */
export interface RunChoice {
  readonly settings: ProxySettings
  readonly tls: TlsChoice
  readonly database: DatabaseChoice
  readonly dbListen: Option.Option<string>
  readonly demo: boolean
  readonly workers: number | "auto"
  readonly log: LogChoice
  /** Where the access log goes; `off`: nowhere. */
  readonly accessLog: string
}

/** What flags, variables and the files that they name come to. */
export interface ResolvedChoice {
  readonly settings: ProxySettings
  /** The files of TLS to servers of sessions; `undefined` for none. */
  readonly tls: FollowedTls | undefined
  /** What the variables of OpenTelemetry ask for; `undefined` for nothing. */
  readonly traces: TraceChoice | undefined
  readonly database: Database
  /** Brings the demo server along, as the session `demo`. */
  readonly demo: boolean
}

/** The demo session has a name of its own, too: browsers look for what is below this on their own machine (RFC 6761 section 6.3). */
const demoHosts: ReadonlyArray<string> = ["localhost"]

const namesOf = ({ sessionHosts }: ProxySettings, demo: boolean): Partial<ProxySettings> =>
  demo && sessionHosts.length === 0 ? { sessionHosts: demoHosts } : {}

/** Reads what the flags do not hold themselves: files, and variables that have no flag. */
export const resolveChoice = ({
  settings,
  demo,
  ...given
}: RunChoice): Effect.Effect<ResolvedChoice, UsageError | CommandFailed> =>
  Effect.gen(function* () {
    const tls = yield* resolveTls(given.tls)
    const traces = yield* resolveTraces
    const database = yield* listeningAt(yield* resolveDatabase(given.database), given.dbListen)
    const tokens = yield* adminTokens
    return { settings: { ...settings, ...namesOf(settings, demo), ...tokens }, tls, traces, database, demo }
  })
