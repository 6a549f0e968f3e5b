import type { RawFields } from "./HeaderFields.js"

const weight = /^\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*$/i

/** So many characters of `Accept` are read: browsers send 150, and what a client likes most stands first. */
const mostRead = 1_024

/** The weight that the parameters of a media range give it, from 0 to 1; one that is no weight counts as none. */
const weightOf = (parameters: ReadonlyArray<string>): number => {
  for (const parameter of parameters) {
    const [, value] = weight.exec(parameter) ?? []
    if (value !== undefined) return Number(value)
  }
  return 1
}

/** Without one of these, HTML is liked no more than anything else. */
const namesHtml = /text\/(?:html|\*)/i

/** What `Accept` lists, as one text; cut off, between two media ranges, where it is too long. */
const acceptOf = (fields: RawFields): string => {
  let text = ""
  for (let index = 0; index + 1 < fields.length && text.length < mostRead; index += 2) {
    const name = fields[index] ?? ""
    if (name.length === 6 && name.toLowerCase() === "accept") text += `${fields[index + 1]},`
  }
  return text.slice(0, text.lastIndexOf(",", mostRead))
}

/** The weights of media ranges, lower-cased. */
const weights = (accept: string): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const range of accept.split(",")) {
    const [name = "", ...parameters] = range.split(";")
    if (name.trim() !== "") found.set(name.trim().toLowerCase(), weightOf(parameters))
  }
  return found
}

/** Whether a client would rather read HTML than JSON (RFC 9110 section 12.5.1); one that likes both as much would not. */
export const prefersHtml = (fields: RawFields): boolean => {
  const accept = acceptOf(fields)
  if (!namesHtml.test(accept)) return false
  const accepted = weights(accept)
  const any = accepted.get("*/*") ?? 0
  const html = accepted.get("text/html") ?? accepted.get("text/*") ?? any
  const anyApplication = accepted.get("application/*") ?? any
  const problem = accepted.get("application/problem+json") ?? anyApplication
  const json = accepted.get("application/json") ?? anyApplication
  return html > Math.max(problem, json)
}
