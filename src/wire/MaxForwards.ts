import type { RawFields } from "./HeaderFields.js"
import { parseLength } from "./MessageParser.js"

const isMaxForwards = (name: string | undefined): boolean =>
  name !== undefined && name.length === 12 && name.toLowerCase() === "max-forwards"

/** How many more times a request may be forwarded; `undefined` where it does not say so in digits (RFC 9110 section 7.6.2). */
const leftIn = (value: string): number | undefined => {
  const left = parseLength(value)
  if (left !== -1) return left
  // More than can be counted is the most that can be.
  return /^\d+$/.test(value) ? Number.MAX_SAFE_INTEGER : undefined
}

/** Whether a request may go no further than here: its `Max-Forwards` is used up. */
export const isLastHop = (fields: RawFields): boolean =>
  fields.some((name, index) => index % 2 === 0 && isMaxForwards(name) && leftIn(fields[index + 1] ?? "") === 0)

/** The fields of a request that is forwarded once: `Max-Forwards` is less by one. What is no number stays as it is. */
export const forwardedOnce = (fields: RawFields): RawFields =>
  fields.map((text, index) => {
    const left = index % 2 === 1 && isMaxForwards(fields[index - 1]) ? leftIn(text) : undefined
    return left === undefined ? text : String(left - 1)
  })
