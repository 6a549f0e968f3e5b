import { Effect, Option } from "effect"
import type { ProxySettings } from "../domain/ProxyConfig.js"
import { settings } from "../domain/Settings.js"
import type { Origin } from "../admin/access/Access.js"
import { UsageError } from "./Failure.js"
import { flagOf, variable } from "./Flag.js"
import { flaggedSettings } from "./ProgramFlags.js"

/** Tokens have variables and no flags: everybody on the machine sees the flags of a process. */
export const tokenVariables = {
  adminToken: "SS_PROXY_ADMIN_TOKEN",
  adminReadToken: "SS_PROXY_ADMIN_READ_TOKEN",
} as const

const tokenOf = (setting: keyof typeof tokenVariables): Effect.Effect<string, UsageError> =>
  Effect.gen(function* () {
    const name = tokenVariables[setting]
    const given = yield* variable(name)
    if (Option.isNone(given)) return settings[setting].fallback
    const { allowed, read } = settings[setting].reading
    return yield* Effect.mapError(
      read(given.value),
      () => new UsageError({ message: `${name} is no token; it must be ${allowed}` }),
    )
  })

/** The tokens of the admin listener that the variables give. */
export const adminTokens: Effect.Effect<Pick<ProxySettings, "adminToken" | "adminReadToken">, UsageError> = Effect.all({
  adminToken: tokenOf("adminToken"),
  adminReadToken: tokenOf("adminReadToken"),
})

const variables: ReadonlyMap<string, string | undefined> = new Map([
  ...flaggedSettings.map(([name, row]) => [name, flagOf(row).env] as const),
  ...Object.entries(tokenVariables),
])

/** Whether a setting that is no default comes from a flag or from its variable, which a flag overrides. */
export const originOf =
  (inForce: ProxySettings) =>
  (setting: string): Origin => {
    const name = variables.get(setting)
    const given = name === undefined ? undefined : process.env[name]
    if (given === undefined || given === "") return "flag"
    const row = flaggedSettings.find(([name]) => name === setting)?.[1]
    if (row === undefined || row.inFile === true) return "variable"
    const value = Option.getOrUndefined(row.reading.read(given))
    return JSON.stringify(value) === JSON.stringify(Reflect.get(inForce, setting)) ? "variable" : "flag"
  }
