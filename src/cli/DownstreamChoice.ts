import { Effect, Option } from "effect"
import { defaultSettings } from "../domain/ProxyConfig.js"
import { text } from "../domain/Reading.js"
import type { FlaggedSetting } from "../domain/Setting.js"
import { settings } from "../domain/Settings.js"
import { type CommandFailed, UsageError } from "./Failure.js"
import { type Flag, flagOf, option, optionOr } from "./Flag.js"
import type { FollowedTls } from "./run/FollowedTls.js"

/** The flags that permit and deny addresses of servers. */
export const addressFlags = [flagOf(settings.denyDownstream), flagOf(settings.allowDownstream)]

/** Their options, for a command that makes the same `AddressGuard` as a proxy. */
export const addressOptions = {
  denyDownstream: optionOr(flagOf(settings.denyDownstream), defaultSettings.denyDownstream),
  allowDownstream: optionOr(flagOf(settings.allowDownstream), defaultSettings.allowDownstream),
}

/** The flag of a setting that is read from a file. */
const fileFlag = (row: FlaggedSetting<string>): Flag<string> => ({ ...flagOf(row), reading: text("FILE") })

/** The options of TLS connections to servers of sessions: paths of files. */
export const tlsOptions = {
  downstreamCa: option(fileFlag(settings.downstreamCa)),
  downstreamCert: option(fileFlag(settings.downstreamCert)),
  downstreamKey: option(fileFlag(settings.downstreamKey)),
}

/** The values of `tlsOptions`. */
export type TlsChoice = Readonly<Record<keyof typeof tlsOptions, Option.Option<string>>>

/** Reads the files that the flags and variables of TLS name; `undefined` if they name none. */
export const resolveTls = (given: TlsChoice): Effect.Effect<FollowedTls | undefined, UsageError | CommandFailed> =>
  Effect.gen(function* () {
    const ca = Option.getOrUndefined(given.downstreamCa)
    const cert = Option.getOrUndefined(given.downstreamCert)
    const key = Option.getOrUndefined(given.downstreamKey)
    if ((cert === undefined) !== (key === undefined)) {
      const [certFlag, keyFlag] = [settings.downstreamCert.flag.name, settings.downstreamKey.flag.name]
      return yield* new UsageError({ message: `--${certFlag} and --${keyFlag} belong together; give both, or neither` })
    }
    if (ca === undefined && cert === undefined) return undefined
    // Loaded only here, because most runs have no such files.
    const { authorityFile, identityFiles } = yield* Effect.promise(() => import("./run/TlsFiles.js"))
    const { FollowedTls } = yield* Effect.promise(() => import("./run/FollowedTls.js"))
    const files = [
      ...(ca === undefined ? [] : [authorityFile(ca)]),
      ...(cert === undefined || key === undefined ? [] : [identityFiles(cert, key)]),
    ]
    const { downstreamCa, downstreamCert, downstreamKey } = defaultSettings
    return yield* FollowedTls.read(files, { downstreamCa, downstreamCert, downstreamKey })
  })
