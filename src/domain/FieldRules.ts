import { foldedName, isToken } from "./FieldName.js"

// What may be said in settings and policies of fields that messages get or lose.

/** Fields that are set: the value of each, or its values, which are a line each. */
export type FieldsToSet = Readonly<Record<string, string | ReadonlyArray<string>>>

/** What stands where a value is not shown. */
export const hiddenValue = "***"

/** Names and values that one setting may hold, in bytes: a head that is much larger is refused by many servers. */
const mostBytes = 8_192

const framing = "says where or how content ends and is read, so that only the proxy may write it"
const ofOneHop = "belongs to one connection, and is not passed on"
const ofProxy = "is for the proxy itself to write or to act on"
const ofHandshake = "belongs to the handshake of WebSockets"

/** Why fields cannot be set or stripped, by their folded names. */
const untouchable: ReadonlyMap<string, string> = new Map([
  ["content-encoding", framing],
  ["content-length", framing],
  ["content-range", framing],
  ["te", framing],
  ["trailer", framing],
  ["transfer-encoding", framing],
  ["connection", ofOneHop],
  ["http2-settings", ofOneHop],
  ["keep-alive", ofOneHop],
  ["upgrade", ofOneHop],
  ["cdn-loop", ofProxy],
  ["date", ofProxy],
  ["expect", ofProxy],
  ["host", ofProxy],
  ["max-forwards", ofProxy],
  ["traceparent", ofProxy],
  ["tracestate", ofProxy],
  ["via", ofProxy],
  ["x-request-id", ofProxy],
])

const reasonAgainst = (folded: string): string | undefined => {
  if (folded.startsWith("proxy-")) return ofOneHop
  if (folded.startsWith("x-forwarded-")) return ofProxy
  return folded.startsWith("sec-websocket-") ? ofHandshake : untouchable.get(folded)
}

/** A name as far as it can be one: behind that may be a value, of a whole line that was taken for a name. */
const shownName = (name: string): string => {
  const [beginning = ""] = /^[\w-]*/.exec(name) ?? []
  return JSON.stringify(beginning === name ? name : `${beginning}…`)
}

const nameProblem = (name: string): string | undefined => {
  if (!isToken(name)) return `${shownName(name)} is not the name of a field`
  const reason = reasonAgainst(foldedName(name))
  return reason === undefined ? undefined : `${name} ${reason}`
}

/** The first problem of these names. Two that some servers read as one cannot both be meant. */
const namesProblem = (names: ReadonlyArray<string>): string | undefined => {
  const before = new Set<string>()
  for (const name of names) {
    const problem = nameProblem(name)
    if (problem !== undefined) return problem
    if (before.has(foldedName(name))) return `${name} stands twice, in this or a similar spelling`
    before.add(foldedName(name))
  }
  return undefined
}

/** Visible ASCII, spaces and tabs: other bytes are read in several ways, and are obsolete (RFC 9110 section 5.5). */
const valuePattern = /^[\t\u0020-\u007e]*$/

/** Never has the value in it, which may be a secret. */
const valueProblem = (name: string, value: unknown): string | undefined => {
  if (typeof value !== "string") return `the value of ${name} must be a text, or an array of texts`
  if (value === hiddenValue) return `the value of ${name} was left out where it was shown; write it`
  if (!valuePattern.test(value))
    return `the value of ${name} may only have visible ASCII characters, spaces and tabs; encode others`
  return value.trim() === value ? undefined : `the value of ${name} begins or ends with white space`
}

const isTooMuch = (texts: ReadonlyArray<string>): boolean =>
  texts.reduce((sum, text) => sum + text.length, 0) > mostBytes

const tooMuch = `it has more than ${mostBytes} characters of names and values`

const isText = (value: unknown): value is string => typeof value === "string"

/** Why these are no fields that can be set; `undefined` if they are. */
export const fieldsProblem = (given: unknown): string | undefined => {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return "it must be a JSON object of names and values"
  const names = Object.keys(given)
  const wrongName = isTooMuch(names) ? tooMuch : namesProblem(names)
  if (wrongName !== undefined) return wrongName
  const lines = Object.entries(given).flatMap(([name, value]: [string, unknown]) =>
    Array.isArray(value) ? value.map((one: unknown) => [name, one] as const) : [[name, value] as const],
  )
  const empty = Object.entries(given).find(([, value]) => Array.isArray(value) && value.length === 0)
  if (empty !== undefined) return `${empty[0]} has no values; to take the field away, strip it`
  for (const [name, value] of lines) {
    const problem = valueProblem(name, value)
    if (problem !== undefined) return problem
  }
  return isTooMuch(lines.flat().filter(isText)) ? tooMuch : undefined
}

/** Why these are no names of fields that can be stripped; `undefined` if they are. */
export const fieldNamesProblem = (given: unknown): string | undefined => {
  if (!Array.isArray(given) || !given.every(isText)) return "it must be a JSON array of names"
  return isTooMuch(given) ? tooMuch : namesProblem(given)
}
