import { Cause, Exit, type Effect } from "effect"
import { Defect, type DefectPlace, type OwnError } from "../domain/ProxyError.js"
import { isToken } from "../domain/FieldName.js"
import { checkOwnFields } from "../wire/OwnFields.js"

/** Runs code of the program that embeds the proxy. What it throws becomes a defect that says where it was. */
export const runOwn = <A, E>(place: DefectPlace, run: () => Effect.Effect<A, E>): Effect.Effect<A, E> => {
  try {
    return run()
  } catch (thrown) {
    return Exit.die(Defect.at(place, thrown))
  }
}

/** The same for what is known at once. */
export const tryOwn = <A>(place: DefectPlace, run: () => A): Exit.Exit<A> => {
  try {
    return Exit.succeed(run())
  } catch (thrown) {
    return Exit.die(Defect.at(place, thrown))
  }
}

/** The same of what is thrown in a fiber. One that interrupts itself is a defect, too: somebody waits for it. */
export const dieAt = (place: DefectPlace, cause: Cause.Cause<never>): Cause.Cause<never> =>
  Cause.die(Defect.at(place, Cause.squash(cause)))

/** Checks that an error of such a program can be answered. Throws where not: that is a bug of whoever made it. */
export const checkOwnAnswer = ({ answer }: OwnError): void => {
  const { fields = [], proxyStatus = "http_request_denied", status } = answer
  if (!Number.isInteger(status) || status < 400 || status > 599)
    throw new Error(`${status} is no status of an error: that is a number from 400 to 599`)
  checkOwnFields(fields)
  if (!isToken(proxyStatus)) throw new Error(`${JSON.stringify(proxyStatus)} is no type of an error in Proxy-Status`)
}
