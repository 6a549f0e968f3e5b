import { Effect, Option } from "effect"
import { defaultSettings } from "../domain/ProxyConfig.js"
import { text } from "../domain/Reading.js"
import { type FlaggedSetting, settings } from "../domain/Settings.js"
import { type CommandFailed, UsageError } from "./Failure.js"
import { type Flag, flagOf, option, optionOr } from "./Flag.js"
import type { FollowedTls } from "./FollowedTls.js"

/** The flags that decide which addresses the servers of sessions may have. */
export const addressFlags = [flagOf(settings.denyDownstream), flagOf(settings.allowDownstream)]

/** The same flags for a command that makes an `AddressGuard` of them: the one that a proxy would have. */
export const addressOptions = {
  denyDownstream: optionOr(flagOf(settings.denyDownstream), defaultSettings.denyDownstream),
  allowDownstream: optionOr(flagOf(settings.allowDownstream), defaultSettings.allowDownstream),
}

/** The flag of a setting that is in a file. */
const fileFlag = (row: FlaggedSetting<string>): Flag<string> => ({ ...flagOf(row), reading: text("FILE") })

/** The flags of TLS to the servers of sessions: the paths of files. */
export const tlsOptions = {
  downstreamCa: option(fileFlag(settings.downstreamCa)),
  downstreamCert: option(fileFlag(settings.downstreamCert)),
  downstreamKey: option(fileFlag(settings.downstreamKey)),
}

/** What was given for `tlsOptions`. */
export type TlsChoice = Readonly<Record<keyof typeof tlsOptions, Option.Option<string>>>

/** The files that the flags and variables of TLS name, with what stands in them; `undefined` where they name none. */
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
    // Loaded only here: most runs have no such files.
    const { authorityFile, identityFiles } = yield* Effect.promise(() => import("./TlsFiles.js"))
    const { FollowedTls } = yield* Effect.promise(() => import("./FollowedTls.js"))
    const files = [
      ...(ca === undefined ? [] : [authorityFile(ca)]),
      ...(cert === undefined || key === undefined ? [] : [identityFiles(cert, key)]),
    ]
    const { downstreamCa, downstreamCert, downstreamKey } = defaultSettings
    return yield* FollowedTls.read(files, { downstreamCa, downstreamCert, downstreamKey })
  })
