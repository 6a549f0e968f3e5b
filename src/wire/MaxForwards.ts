import type { RawFields } from "./HeaderFields.js"
import { parseLength } from "./MessageParser.js"

const isMaxForwards = (name: string | undefined): boolean =>
  name !== undefined && name.length === 12 && name.toLowerCase() === "max-forwards"

/** Reads a `Max-Forwards` value (RFC 9110 section 7.6.2); `undefined` if it is not a number in digits. */
const leftIn = (value: string): number | undefined => {
  const left = parseLength(value)
  if (left !== -1) return left
  // A larger number counts as the largest safe integer.
  return /^\d+$/.test(value) ? Number.MAX_SAFE_INTEGER : undefined
}

/** Whether the request must not be forwarded: its `Max-Forwards` is 0. */
export const isLastHop = (fields: RawFields): boolean =>
  fields.some((name, index) => index % 2 === 0 && isMaxForwards(name) && leftIn(fields[index + 1] ?? "") === 0)

/** The fields for the next hop: `Max-Forwards` is decremented. A value that is not a number stays as it is. */
export const forwardedOnce = (fields: RawFields): RawFields =>
  fields.map((text, index) => {
    const left = index % 2 === 1 && isMaxForwards(fields[index - 1]) ? leftIn(text) : undefined
    return left === undefined ? text : String(left - 1)
  })
