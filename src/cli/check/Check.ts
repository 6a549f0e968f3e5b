import * as Command from "@effect/cli/Command"
import { Effect, Either, Logger, type Option } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { countOrAll } from "../../domain/Reading.js"
import { settingRows } from "../../domain/Settings.js"
import { adminTokens } from "../AdminVariables.js"
import type { CommandDoc } from "../CommandDoc.js"
import { type Database, databaseOptions, resolveDatabase } from "../Database.js"
import { resolveTls, type TlsChoice, tlsOptions } from "../DownstreamChoice.js"
import { CommandFailed } from "../Failure.js"
import * as Flag from "../Flag.js"
import type { FollowedTls } from "../run/FollowedTls.js"
import { printResult } from "../Output.js"
import { accessLog, demo, logFormat, logLevel, runGroups, workers } from "../ProgramFlags.js"
import { endAtOnceBySignal } from "../StoppedBySignal.js"
import { renderJson } from "../sessions/SessionView.js"
import { settingOptions } from "../SettingOptions.js"
import { styleOf } from "../Style.js"
import { unknownVariables } from "../UnknownVariables.js"
import { type Finding, findingLines, findingsOf, unavailable, worstOf } from "./Finding.js"
import type { ServerFinding } from "./ServerChecks.js"

const usualServers = 100

const downstreams: Flag.Flag<number> = {
  name: "downstreams",
  reading: countOrAll,
  about: "How many servers of sessions to connect to, chosen at random.",
  fallback: String(usualServers),
}

/** Flags of `run` that say nothing that could be checked. */
const unchecked: ReadonlyArray<Flag.Flag> = [demo, workers, logLevel, logFormat, accessLog]

export const checkDoc: CommandDoc = {
  path: ["check"],
  summary: "Look for what could go wrong.",
  about:
    "Checks what could go wrong: the settings that run would have with the same flags and variables, unknown " +
    "variables, the database, ports, file descriptors, the clock, the admin socket and its tokens, rows that cannot " +
    "be used, and names of sessions. It also connects to servers of sessions. Each line is ok, warn or fail, with " +
    "what to do. It changes nothing, and works whether a proxy runs or not. Exits with 1 if anything fails.",
  args: [],
  groups: [
    { title: "Options", flags: [downstreams, Flag.json] },
    ...runGroups.map(({ flags, title }) => ({ title, flags: flags.filter((flag) => !unchecked.includes(flag)) })),
  ],
  examples: [
    ["ss-proxy check", "before the first start, and when something is odd"],
    ["ss-proxy check --port 9000 --downstreams all", "for another port; connects to the server of every session"],
    ["ss-proxy check --downstreams 0 --json", "for a program, without a connection to any server"],
  ],
}

/** What was given. */
interface CheckChoice {
  readonly settings: ProxySettings
  readonly tls: TlsChoice
  readonly database: { readonly dbPath: Option.Option<string>; readonly db: Option.Option<string> }
  readonly downstreams: number
  readonly json: boolean
}

/** The settings that are no defaults, by their flags. */
const settingFinding = (settings: ProxySettings): Finding => {
  const changed = Object.entries(settingRows).filter(
    ([name, { fallback }]) => JSON.stringify(Reflect.get(settings, name)) !== JSON.stringify(fallback),
  )
  const names = changed.map(([name, { flag }]) => flag?.name ?? name)
  return findingsOf("settings").ok(
    names.length === 0 ? "all settings have their defaults" : `these are no defaults: ${names.join(", ")}`,
  )
}

/** Variables that look like settings and are none. */
const variableFindings = (): ReadonlyArray<Finding> =>
  unknownVariables(process.env).map(({ message, name }) =>
    findingsOf("variables").warn(
      message,
      `take ${name} out of the environment, or correct it; docs/CONFIGURATION.md has all`,
    ),
  )

interface Checked {
  readonly findings: ReadonlyArray<Finding>
  readonly servers: ReadonlyArray<ServerFinding>
}

/** The certificates and keys of the settings, and what is wrong with them. */
const checkTls = (given: TlsChoice) =>
  Effect.map(Effect.either(resolveTls(given)), (tls) =>
    Either.match(tls, {
      onLeft: (error) => {
        const [message, todo] =
          error._tag === "CommandFailed" ? [error.problem, error.hint] : [error.message, "see --help"]
        return { tls: undefined, findings: [findingsOf("certificates").fail(message, todo)] }
      },
      onRight: (tls) => ({ tls, findings: [] }),
    }),
  )

type Told = (findings: ReadonlyArray<Finding>) => Effect.Effect<void>

/** Connects to servers, if the database can be read. */
const checkServers = (
  most: number,
  { database, settings, tls }: { database: Database; settings: ProxySettings; tls: FollowedTls | undefined },
  tell: Told,
) =>
  Effect.gen(function* () {
    const { dialServers, serverFindings } = yield* Effect.promise(() => import("./ServerChecks.js"))
    const dialled = yield* Effect.either(dialServers(most, database, settings, tls))
    if (Either.isLeft(dialled)) {
      yield* tell([unavailable("servers", dialled.left)])
      return []
    }
    yield* tell(serverFindings(dialled.right))
    return dialled.right
  })

const checkNames = (database: Database, settings: ProxySettings) =>
  Effect.flatMap(
    Effect.promise(() => import("./NameChecks.js")),
    ({ nameChecks }) => nameChecks(database, settings),
  )

const checkAll = (given: CheckChoice, settings: ProxySettings, database: Database, tell: Told) =>
  Effect.gen(function* () {
    // Loaded only here, for they bring the store and the listeners along.
    const [{ databaseChecks }, { idCaseChecks }, { storedChecks }, machine, running] = yield* Effect.promise(() =>
      Promise.all([
        import("./DatabaseChecks.js"),
        import("./IdCaseCheck.js"),
        import("./StoredChecks.js"),
        import("./MachineChecks.js"),
        import("./RunningProxies.js"),
      ]),
    )
    const { findings, tls } = yield* checkTls(given.tls)
    yield* tell([settingFinding(settings), ...variableFindings(), ...findings])
    const ofDatabase = yield* databaseChecks(database)
    yield* tell(ofDatabase)
    const proxies = yield* running.proxiesOn(database)
    yield* tell(running.proxyFindings(proxies))
    yield* tell(yield* machine.portChecks(settings, proxies))
    yield* tell(machine.fileChecks(settings, proxies))
    yield* tell(machine.tokenChecks(settings))
    yield* tell([machine.socketCheck(settings, database, proxies)])
    const isReadable = ofDatabase.some(({ check, result }) => check === "database" && result === "ok")
    if (!isReadable) return []
    yield* tell([yield* storedChecks(database)])
    yield* tell(yield* idCaseChecks(settings.idCase, database))
    if (settings.sessionHosts.length > 0) yield* tell([yield* checkNames(database, settings)])
    if (given.downstreams === 0) return []
    return yield* checkServers(given.downstreams, { database, settings, tls }, tell)
  })

const failure = (findings: ReadonlyArray<Finding>): Effect.Effect<void, CommandFailed> => {
  const failed = findings.filter(({ result }) => result === "fail").length
  if (failed === 0) return Effect.void
  return new CommandFailed({
    code: "checks_failed",
    problem: failed === 1 ? "one check failed" : `${failed} checks failed`,
    hint: "the lines say what to do",
  })
}

const jsonOf = ({ findings, servers }: Checked): string =>
  renderJson({ result: worstOf(findings), checks: findings, servers })

/** Leaves no file that was not there before. */
const leaveAlone = (database: Database): Effect.Effect<void> =>
  database._tag !== "Sqlite"
    ? Effect.void
    : Effect.flatMap(
        Effect.promise(() => import("../../sessions/sqlite/SqliteProbe.js")),
        ({ removeCompanions }) => removeCompanions(database.filename),
      )

const runChecks = (given: CheckChoice) =>
  Effect.gen(function* () {
    yield* endAtOnceBySignal
    const settings = { ...given.settings, ...(yield* adminTokens) }
    const database = yield* resolveDatabase(given.database)
    const style = styleOf(process.stdout)
    const findings: Array<Finding> = []
    const tell = (found: ReadonlyArray<Finding>) =>
      Effect.suspend(() => {
        findings.push(...found)
        if (given.json || found.length === 0) return Effect.void
        return printResult(found.map((finding) => findingLines(finding, style)).join("\n"))
      })
    const servers = yield* Effect.ensuring(checkAll(given, settings, database, tell), leaveAlone(database))
    if (given.json) yield* printResult(jsonOf({ findings, servers }))
    yield* failure(findings)
  }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))

export const check = Command.make(
  "check",
  {
    settings: settingOptions,
    tls: tlsOptions,
    database: databaseOptions,
    downstreams: Flag.optionOr(downstreams, usualServers),
    json: Flag.isOn(Flag.json),
  },
  runChecks,
).pipe(Command.withDescription(checkDoc.summary))
