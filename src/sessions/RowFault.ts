import { Either, Option } from "effect"
import type { Session } from "../domain/Session.js"
import { isUnusable } from "../domain/SessionControl.js"
import { idProblem } from "./SessionRules.js"
import { urlFault } from "./SessionShape.js"
import { usablePolicy } from "./UsablePolicy.js"

/** Why requests for a session whose status forwards get 502: a phrase. None where they do not. Rows of other programs are not checked before. */
export const rowFault = (session: Session): string | undefined => {
  const { control } = session
  if (isUnusable(control)) return control.problem
  return urlFault(session) ?? Either.getOrUndefined(Either.flip(usablePolicy(session)))
}

/** Why a row leads nowhere, its id included: a phrase. */
export const deadEnd = (session: Session): string | undefined =>
  Option.getOrUndefined(Option.map(idProblem(session.id), (problem) => `never reached: ${problem}`)) ??
  rowFault(session)
