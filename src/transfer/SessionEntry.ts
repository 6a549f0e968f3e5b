import { Either, Option } from "effect"
import { type Policy, policyRows } from "../domain/Policies.js"
import { defaultPolicy, readPolicy, type SessionPolicy } from "../domain/SessionPolicy.js"
import { mostSimilar } from "../domain/Similar.js"
import type { NewSession } from "../sessions/SessionRepo.js"
import { idProblem } from "../sessions/SessionRules.js"
import { shownOnly, viewFields } from "./SessionFields.js"
import { type HostGuard, urlProblem } from "./UrlProblem.js"

/** What was read, or a phrase about what is wrong. */
export type Parsed<A> = Either.Either<A, string>

export const parseJson = (text: string): Parsed<unknown> =>
  Either.try({ try: () => JSON.parse(text) as unknown, catch: () => "it is not JSON" })

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * The value of a policy in JSON; an invalid text stays a text, which `readPolicy` refuses. What is a number in its column may
 * be one here: 600 is "600".
 */
export const policyValue = (
  { column, columnType, fallback, read, reading }: Policy<unknown>,
  value: unknown,
): Parsed<unknown> => {
  // What is JSON in text may also stand there as JSON.
  if (reading.json !== undefined && typeof value === "object") return Either.right(value)
  if (typeof fallback === "boolean")
    return reading.is(value) ? Either.right(value) : Either.left(`"${column}" must be true or false`)
  if (value === null) return Either.right(value)
  const isNumeric = columnType === "NUMERIC"
  const text = isNumeric && typeof value === "number" ? String(value) : value
  if (typeof text !== "string")
    return Either.left(`"${column}" must be ${isNumeric ? "a number, a text" : "a text"} or null`)
  return Either.right(Option.getOrElse(read(text), () => text))
}

/** The policy of an entry. Missing members have their defaults, because earlier versions did not write them. */
const policyOf = (entry: Readonly<Record<string, unknown>>): Parsed<SessionPolicy> =>
  Either.gen(function* () {
    const values: Record<string, unknown> = { ...defaultPolicy }
    for (const [name, row] of Object.entries(policyRows)) {
      const value = entry[row.column]
      if (value !== undefined) values[name] = yield* policyValue(row, value)
    }
    return yield* readPolicy(values)
  })

/** Says that entries have no such field, and which one may be meant. */
export const unknownField = (name: string, fields: ReadonlySet<string>): string => {
  const guess = mostSimilar(name, fields)
  const hint = guess === undefined ? "" : `; did you mean "${guess}"?`
  return `${JSON.stringify(name)} is no field of a session${hint}`
}

/** What nobody would read of an entry would be lost without a word. */
const strangerIn = (entry: Readonly<Record<string, unknown>>): string | undefined => {
  const stranger = Object.keys(entry).find((name) => !viewFields.has(name) && !shownOnly.has(name))
  return stranger === undefined ? undefined : unknownField(stranger, viewFields)
}

/** The session of an entry: an object with `id`, `url` and optionally `status` and policies. */
export const sessionOf = (value: unknown, guard: HostGuard): Parsed<NewSession> => {
  if (!isRecord(value)) return Either.left("it is not an object")
  const stranger = strangerIn(value)
  if (stranger !== undefined) return Either.left(stranger)
  const { id, url, status = "active" } = value
  if (typeof id !== "string") return Either.left('"id" must be a text')
  if (typeof url !== "string") return Either.left('"url" must be a text')
  if (typeof status !== "string") return Either.left('"status" must be a text')
  const problem = Option.orElse(idProblem(id), () => urlProblem(url, guard))
  if (Option.isSome(problem)) return Either.left(problem.value)
  return Either.map(policyOf(value), (policy) => ({ id, url, status, policy }))
}
