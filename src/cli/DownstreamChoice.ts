import { Effect, type Option } from "effect"
import { defaultSettings } from "../domain/ProxyConfig.js"
import { AddressGuard } from "../downstream/AddressGuard.js"
import { type CommandFailed, UsageError } from "./Failure.js"
import * as Flag from "./Flag.js"
import type { FollowedTls } from "./FollowedTls.js"
import * as Setting from "./Setting.js"

/** The flags that decide which addresses the servers of sessions may have. */
export const addressFlags = {
  denyDownstream: Flag.option(Flag.denyDownstream),
  allowDownstream: Flag.option(Flag.allowDownstream),
}

/** What was given for `addressFlags`. */
export type AddressChoice = Readonly<Record<keyof typeof addressFlags, Option.Option<string>>>

/** The blocks that the flags and variables of addresses come to. */
export const resolveAddresses = (given: AddressChoice) =>
  Effect.all({
    denyDownstream: Setting.setting(
      Flag.denyDownstream,
      given.denyDownstream,
      Setting.addressBlocks,
      defaultSettings.denyDownstream,
    ),
    allowDownstream: Setting.setting(
      Flag.allowDownstream,
      given.allowDownstream,
      Setting.addressBlocks,
      defaultSettings.allowDownstream,
    ),
  })

/** The guard that a proxy with these flags and variables would have. */
export const resolveGuard = (given: AddressChoice): Effect.Effect<AddressGuard, UsageError> =>
  Effect.map(resolveAddresses(given), (settings) => new AddressGuard(settings))

/** The flags of TLS to the servers of sessions. */
export const tlsFlags = {
  downstreamCa: Flag.option(Flag.downstreamCa),
  downstreamCert: Flag.option(Flag.downstreamCert),
  downstreamKey: Flag.option(Flag.downstreamKey),
}

/** What was given for `tlsFlags`. */
export type TlsChoice = Readonly<Record<keyof typeof tlsFlags, Option.Option<string>>>

/** The files that the flags and variables of TLS name, with what stands in them; `undefined` where they name none. */
export const resolveTls = (given: TlsChoice): Effect.Effect<FollowedTls | undefined, UsageError | CommandFailed> =>
  Effect.gen(function* () {
    const path = (flag: Flag.Flag, text: Option.Option<string>) => Setting.setting(flag, text, Setting.text, undefined)
    const ca = yield* path(Flag.downstreamCa, given.downstreamCa)
    const cert = yield* path(Flag.downstreamCert, given.downstreamCert)
    const key = yield* path(Flag.downstreamKey, given.downstreamKey)
    if ((cert === undefined) !== (key === undefined))
      return yield* new UsageError({
        message: `--${Flag.downstreamCert.name} and --${Flag.downstreamKey.name} belong together; give both, or neither`,
      })
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
