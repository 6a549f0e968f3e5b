import type { RawFields } from "./HeaderFields.js"

/**
 * Browsers send a fifth of this. An `Accept` that fills a whole head would cost a hundred times as much as the answer.
 */
const maxAcceptLength = 1_000

const weight = /^\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/i

/** The weight of a media range, from 0 to 1; 1 if none of its parameters is a valid weight. */
const weightOf = (parameters: ReadonlyArray<string>): number => {
  for (const parameter of parameters) {
    const [, value] = weight.exec(parameter) ?? []
    if (value !== undefined) return Number(value)
  }
  return 1
}

const none: ReadonlyMap<string, number> = new Map()

/**
 * The weights of the media ranges in `Accept`, by their lower-cased names; none if `Accept` is longer than 1,000 bytes.
 */
const weights = (fields: RawFields): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  let left = maxAcceptLength
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
 * Whether a client prefers HTML to JSON (RFC 9110 section 12.5.1). JSON wins a tie. An `Accept` of more than 1,000
 * bytes counts as absent.
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

/**
 * Whether a client asks for HTML by its name, as browsers do for a page (RFC 9110 section 12.5.1), and not just for anything.
 * An `Accept` of more than 1,000 bytes counts as absent.
 */
export const namesHtml = (fields: RawFields): boolean => (weights(fields).get("text/html") ?? 0) > 0
