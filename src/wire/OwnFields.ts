import { isToken } from "../domain/FieldName.js"
import type { RawFields } from "./HeaderFields.js"

/** Printable ASCII and tabs: the proxy writes its own answers as UTF-8, and field values are not UTF-8. */
const valuePattern = /^[\t\u0020-\u007e]*$/

/** Fields that frame an answer or belong to its connection. Only the proxy itself writes them. */
const writtenByProxy: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
])

/** Checks fields (flat pairs) for an answer of the proxy's own. Throws if one of them is not allowed there. */
export const checkOwnFields = (fields: RawFields): void => {
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? ""
    const value = fields[index + 1]
    if (!isToken(name)) throw new Error(`${JSON.stringify(name)} is not the name of a field`)
    if (writtenByProxy.has(name.toLowerCase())) throw new Error(`${name} is for the proxy to write`)
    if (value === undefined || !valuePattern.test(value))
      throw new Error(`the value for ${name} is missing, or holds what no field of an answer may hold`)
  }
}
