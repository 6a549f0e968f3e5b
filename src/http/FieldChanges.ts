import { isToken } from "../domain/FieldName.js"
import type { RawFields } from "../wire/HeaderFields.js"

/** Changes to the fields of a message. Names are compared without case (RFC 9110 section 5.1). */
export interface FieldChanges {
  /** Names of fields that go. */
  readonly drop?: ReadonlyArray<string>
  /** Pairs that come in place of any fields of the same name: name, value, name, value. */
  readonly set?: RawFields
  /** Pairs that come beside any fields of the same name. */
  readonly add?: RawFields
}

/** What frames a message, or belongs to one connection of it, is the proxy's to write. */
const unchangeable: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

const valuePattern = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

const checkName = (name: string): string => {
  if (!isToken(name)) throw new Error(`${JSON.stringify(name)} is not the name of a field`)
  if (unchangeable.has(name.toLowerCase()))
    throw new Error(`${name} is for the proxy to write, not for a hook or a stage`)
  return name.toLowerCase()
}

const namesIn = (pairs: RawFields): Array<string> => {
  const names: Array<string> = []
  for (let index = 0; index < pairs.length; index += 2) {
    const value = pairs[index + 1]
    names.push(checkName(pairs[index] ?? ""))
    if (value === undefined || !valuePattern.test(value))
      throw new Error(`the value for ${pairs[index]} is missing, or holds what no field may hold`)
  }
  return names
}

/** Fields with changes made to them. Throws where a change would break the message. */
export const changedFields = (fields: RawFields, { add = [], drop = [], set = [] }: FieldChanges): Array<string> => {
  namesIn(add)
  const gone = new Set([...drop.map(checkName), ...namesIn(set)])
  const kept: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    if (!gone.has(name.toLowerCase())) kept.push(name, fields[index + 1] ?? "")
  }
  return [...kept, ...set, ...add]
}
