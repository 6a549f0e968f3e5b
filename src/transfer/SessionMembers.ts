import { Either } from "effect"
import { type Policy, policyRows } from "../domain/Policies.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"
import type { SessionChange } from "../sessions/SessionRepo.js"
import { type Parsed, policyValue, unknownField } from "./SessionEntry.js"
import { policyColumns } from "./SessionFields.js"

/** A member of a JSON object, and what is wrong with it. */
export interface MemberProblem {
  readonly path: string
  readonly problem: string
}

/** The members that say what a session is to be. */
const members: ReadonlySet<string> = new Set(["url", "status", ...policyColumns])

const textOf = (name: string, value: unknown): Parsed<string> =>
  typeof value === "string" ? Either.right(value) : Either.left(`"${name}" must be a text`)

/** The status of a session of which none is said. */
export const defaultStatus = "active"

/** Which values a member may have: what the flag takes. Values of a program may be in another unit. */
const allowedIn = ({ inPlaceOf, reading }: Policy<unknown>): string =>
  inPlaceOf === undefined ? reading.allowedValue : `${inPlaceOf.reading.allowed}, or null`

/** Reads a member of a policy. Null removes the policy. */
const policyOf = (column: string, value: unknown): Parsed<Partial<SessionPolicy>> => {
  const [name = "", row] = Object.entries(policyRows).find(([, row]) => row.column === column) ?? []
  if (row === undefined) return Either.left(unknownField(column, members))
  const read = value === null ? Either.right(row.fallback) : policyValue(row, value)
  return Either.flatMap(read, (own) =>
    row.reading.is(own)
      ? Either.right({ [name]: own })
      : Either.left(row.reading.json?.problem(own) ?? `it must be ${allowedIn(row)}`),
  )
}

const memberOf = (name: string, value: unknown): Parsed<SessionChange> => {
  if (name === "url") return Either.map(textOf(name, value), (url) => ({ url }))
  if (name === "status") return Either.map(textOf(name, value ?? defaultStatus), (status) => ({ status }))
  return Either.map(policyOf(name, value), (policy) => ({ policy }))
}

/**
 * What the members of a JSON object say of a session, by the names that `export` gives them; null removes anything but the URL.
 * Left: every member that is wrong, or is none of a session's.
 */
export const changeOf = (
  object: Readonly<Record<string, unknown>>,
): Either.Either<SessionChange, ReadonlyArray<MemberProblem>> => {
  const problems: Array<MemberProblem> = []
  let change: SessionChange = {}
  for (const [path, value] of Object.entries(object)) {
    const read = memberOf(path, value)
    if (Either.isLeft(read)) problems.push({ path, problem: read.left })
    else change = { ...change, ...read.right, policy: { ...change.policy, ...read.right.policy } }
  }
  return problems.length > 0 ? Either.left(problems) : Either.right(change)
}
