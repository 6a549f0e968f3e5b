import type { RawFields } from "./HeaderFields.js"

/** Browsers send a fifth of it. To read one that fills the head of a request would cost a hundred times the answer. */
const longestRead = 1_000

const weight = /^\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/i

/** The weight that the parameters of a media range give it, from 0 to 1; one that is no weight counts as none. */
const weightOf = (parameters: ReadonlyArray<string>): number => {
  for (const parameter of parameters) {
    const [, value] = weight.exec(parameter) ?? []
    if (value !== undefined) return Number(value)
  }
  return 1
}

const none: ReadonlyMap<string, number> = new Map()

/** The weights of media ranges, lower-cased, as `Accept` lists them; none where it is longer than anybody needs. */
const weights = (fields: RawFields): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  let left = longestRead
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    if (name.length !== 6 || name.toLowerCase() !== "accept") continue
    const value = fields[index + 1] ?? ""
    left -= value.length
    if (left < 0) return none
    for (const item of value.split(",")) {
      const [range = "", ...parameters] = item.split(";")
      if (range.trim() !== "") found.set(range.trim().toLowerCase(), weightOf(parameters))
    }
  }
  return found
}

/**
 * Whether a client would rather read HTML than JSON (RFC 9110 section 12.5.1); one that likes both as much would not, and
 * an `Accept` of more than 1,000 bytes is not read.
 */
export const prefersHtml = (fields: RawFields): boolean => {
  const accepted = weights(fields)
  const any = accepted.get("*/*") ?? 0
  const html = accepted.get("text/html") ?? accepted.get("text/*") ?? any
  const anyApplication = accepted.get("application/*") ?? any
  const problem = accepted.get("application/problem+json") ?? anyApplication
  const json = accepted.get("application/json") ?? anyApplication
  return html > Math.max(problem, json)
}
