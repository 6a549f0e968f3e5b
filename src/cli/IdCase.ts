import { Effect, Option } from "effect"
import type { IdCase } from "../domain/Settings.js"
import { idCaseRule } from "../domain/SessionSettings.js"
import { foldedId } from "../sessions/FoldedId.js"
import { variable } from "./Flag.js"

/** The variable of `--id-case`, which is a flag of the proxy alone. */
export const idCaseVariable = "SS_PROXY_ID_CASE"

/** How proxies compare ids, as far as the variable says. */
export const idCaseInUse: Effect.Effect<IdCase> = Effect.map(variable(idCaseVariable), (given) =>
  Option.getOrElse(Option.flatMap(given, idCaseRule.read), () => "exact" as const),
)

/** The id as a name would have it, which is in small letters: another spelling does only where case does not count. */
export const idInNames = (id: string, idCase: IdCase): string => (idCase === "fold" ? foldedId(id) : id)
