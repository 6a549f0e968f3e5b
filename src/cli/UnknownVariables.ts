import { Effect } from "effect"
import { mostSimilar } from "../domain/Similar.js"
import { admin } from "./admin/Proxies.js"
import { tokenVariables } from "./AdminVariables.js"
import { runGroups } from "./ProgramFlags.js"
import { isServiceLink } from "./ServiceLink.js"

/** What all variables of the program begin with. */
const prefix = "SS_PROXY_"

/** Every variable that the program reads under this prefix. */
export const knownVariables: ReadonlySet<string> = new Set([
  ...[...runGroups.flatMap(({ flags }) => flags), admin].flatMap(({ env }) => (env === undefined ? [] : [env])),
  ...Object.values(tokenVariables),
])

/** Says of each variable that looks like one of the program, and is none, that nobody reads it. Values are not shown. */
export const unknownVariables = (
  environment: Readonly<Record<string, string | undefined>>,
): ReadonlyArray<{ readonly name: string; readonly message: string }> =>
  Object.entries(environment)
    .filter(([name, value = ""]) => name.startsWith(prefix) && !knownVariables.has(name) && !isServiceLink(name, value))
    .map(([name]) => {
      const guess = mostSimilar(
        name.slice(prefix.length),
        [...knownVariables].map((known) => known.slice(prefix.length)),
      )
      const hint = guess === undefined ? "" : `; did you mean ${prefix}${guess}?`
      return { name, message: `the variable ${name} means nothing to ss-proxy${hint}` }
    })

/** Warns of them in the log. */
export const warnOfUnknownVariables: Effect.Effect<void> = Effect.suspend(() =>
  Effect.forEach(unknownVariables(process.env), ({ message }) => Effect.logWarning(message), { discard: true }),
)
