import type { RequestHead } from "../../downstream/Downstream.js"
import type { AnswerChange } from "../../http/ProxyRequest.js"
import { firstValue } from "../../wire/HeaderFields.js"

/**
 * What becomes of a redirect to what was asked for, and of a cookie for all of the server, by the very code that would change
 * them: a sentence each, where anything does.
 */
export const answerSteps = (change: AnswerChange | undefined, { target }: RequestHead): ReadonlyArray<string> => {
  if (change === undefined) return []
  const path = target.split("?")[0] ?? ""
  const before = ["Location", path, "Set-Cookie", "a=1; Path=/"]
  const { fields } = change.changed({ status: 302, reason: "Found", fields: before })
  const location = firstValue(fields, "location")
  const cookie = firstValue(fields, "set-cookie")
  return [
    ...(location === path || location === undefined ? [] : [`a redirect to ${path} comes back as one to ${location}`]),
    ...(cookie === undefined || cookie === before[3] ? [] : [`a cookie for / comes back with ${cookie.slice(5)}`]),
  ]
}
