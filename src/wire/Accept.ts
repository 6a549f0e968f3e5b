import type { RawFields } from "./HeaderFields.js"

const weight = /^\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/i

/** The weight that the parameters of a media range give it, from 0 to 1; one that is no weight counts as none. */
const weightOf = (parameters: ReadonlyArray<string>): number => {
  for (const parameter of parameters) {
    const [, value] = weight.exec(parameter) ?? []
    if (value !== undefined) return Number(value)
  }
  return 1
}

/** The weights of media ranges, lower-cased, as `Accept` lists them. */
const weights = (fields: RawFields): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() !== "accept") continue
    for (const range of (fields[index + 1] ?? "").split(",")) {
      const [name = "", ...parameters] = range.split(";")
      if (name.trim() !== "") found.set(name.trim().toLowerCase(), weightOf(parameters))
    }
  }
  return found
}

/** Whether a client would rather read HTML than JSON (RFC 9110 section 12.5.1); one that likes both as much would not. */
export const prefersHtml = (fields: RawFields): boolean => {
  const accepted = weights(fields)
  const any = accepted.get("*/*") ?? 0
  const html = accepted.get("text/html") ?? accepted.get("text/*") ?? any
  const anyApplication = accepted.get("application/*") ?? any
  const problem = accepted.get("application/problem+json") ?? anyApplication
  const json = accepted.get("application/json") ?? anyApplication
  return html > Math.max(problem, json)
}
