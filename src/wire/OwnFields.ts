import type { RawFields } from "./HeaderFields.js"

/** Whether a text is a token (RFC 9110 section 5.6.2), such as the name of a field. */
export const isToken = (text: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)

/** What a field of an answer of the proxy's own may hold: that is written as UTF-8, and fields are not. */
const valuePattern = /^[\t\u0020-\u007e]*$/

/** What frames an answer, or belongs to its connection, is the proxy's to write. */
const framing: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
])

/** Checks fields for an answer of the proxy's own, flat pairs. Throws where they would be no HTTP. */
export const checkOwnFields = (fields: RawFields): void => {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? ""
    const value = fields[index + 1]
    if (!isToken(name)) throw new Error(`${JSON.stringify(name)} is not the name of a field`)
    if (framing.has(name.toLowerCase())) throw new Error(`${name} is for the proxy to write`)
    if (value === undefined || !valuePattern.test(value))
      throw new Error(`the value for ${name} is missing, or holds what no field of an answer may hold`)
  }
}
