import { Data, Effect, Either, Option } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { type Policy, policyRows } from "../../domain/Policies.js"
import { defaultPolicy, readPolicy, type SessionPolicy } from "../../domain/SessionPolicy.js"
import type { AddressGuard } from "../../downstream/AddressGuard.js"
import type { NewSession } from "../../sessions/SessionRepo.js"
import { idProblem } from "../../sessions/SessionRules.js"
import { mostSimilar } from "../Similar.js"
import { urlProblem } from "./SessionCheck.js"
import { viewFields } from "./SessionView.js"

/** An entry of a file, and its place there, such as `line 3`. */
interface Entry {
  readonly place: string
  readonly value: unknown
}

/** What was read, or a phrase about what is wrong. */
export type Parsed<A> = Either.Either<A, string>

export const parseJson = (text: string): Parsed<unknown> =>
  Either.try({ try: () => JSON.parse(text) as unknown, catch: () => "it is not JSON" })

const lineEntries = (text: string): ReadonlyArray<Parsed<Entry>> =>
  text.split("\n").flatMap((line, index) =>
    line.trim() === ""
      ? []
      : [
          Either.mapBoth(parseJson(line), {
            onLeft: (problem) => `line ${index + 1}: ${problem}`,
            onRight: (value) => ({ place: `line ${index + 1}`, value }),
          }),
        ],
  )

/** The entries of a JSON array, or of JSON lines: one object on each line. */
const entriesOf = (text: string): ReadonlyArray<Parsed<Entry>> => {
  if (!text.trimStart().startsWith("[")) return lineEntries(text)
  const parsed = parseJson(text)
  if (Either.isLeft(parsed)) return [Either.left("it begins as a JSON array, but is not JSON")]
  return Array.isArray(parsed.right)
    ? parsed.right.map((value: unknown, index) => Either.right({ place: `entry ${index + 1}`, value }))
    : [Either.left("it is not a JSON array")]
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const hiddenUserInfo = /^([a-z][a-z0-9+.-]*:\/\/)?\*\*\*@/i

/** The value of a policy in an entry; an invalid text stays a text. */
const policyValue = ({ column, fallback, read, reading }: Policy<unknown>, value: unknown): Parsed<unknown> => {
  if (typeof fallback === "boolean")
    return reading.is(value) ? Either.right(value) : Either.left(`"${column}" must be true or false`)
  if (value === null) return Either.right(value)
  if (typeof value !== "string") return Either.left(`"${column}" must be a text or null`)
  return Either.right(Option.getOrElse(read(value), () => value))
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
  const stranger = Object.keys(entry).find((name) => !viewFields.has(name))
  return stranger === undefined ? undefined : unknownField(stranger, viewFields)
}

/** The session of an entry: an object with `id`, `url` and optionally `status` and policies. */
export const sessionOf = (value: unknown, guard: AddressGuard): Parsed<NewSession> => {
  if (!isRecord(value)) return Either.left("it is not an object")
  const stranger = strangerIn(value)
  if (stranger !== undefined) return Either.left(stranger)
  const { id, url, status = "active" } = value
  if (typeof id !== "string") return Either.left('"id" must be a text')
  if (typeof url !== "string") return Either.left('"url" must be a text')
  if (typeof status !== "string") return Either.left('"status" must be a text')
  if (hiddenUserInfo.test(url))
    return Either.left('the user name and password of its URL were left out by "list"; use the output of "export"')
  const problem = Option.orElse(idProblem(id), () => urlProblem(url, guard))
  if (Option.isSome(problem)) return Either.left(problem.value)
  return Either.map(policyOf(value), (policy) => ({ id, url, status, policy }))
}

/** A file cannot be imported. `problems`: one for each invalid entry, with its place. */
export class SessionFileInvalid extends Data.TaggedError("SessionFileInvalid")<{
  readonly problems: readonly [string, ...ReadonlyArray<string>]
}> {}

/** Entries per turn of the event loop, so that signals are handled in between. */
const checkedAtOnce = 500

/**
 * The sessions of a file: a JSON array or JSON lines. Entries are objects with `id`, `url` and optionally `status` and
 * policies. Other fields that `export` writes are ignored; any other field is refused. Fails with the problems of all
 * invalid entries. `checked` is called from time to time with the number of entries checked and the number of all.
 */
export const parseSessionFile = (
  text: string,
  guard: AddressGuard,
  checked: (count: number, total: number) => void = () => {},
): Effect.Effect<ReadonlyArray<NewSession>, SessionFileInvalid> =>
  Effect.gen(function* () {
    const sessions = new Map<string, NewSession>()
    const problems: Array<string> = []
    const entries = entriesOf(text.replace(/^\uFEFF/, ""))
    for (const [index, entry] of entries.entries()) {
      const session = Either.flatMap(entry, (given) => newSessionOf(given, guard, sessions))
      if (Either.isLeft(session)) problems.push(session.left)
      else sessions.set(session.right.id, session.right)
      if (index % checkedAtOnce !== checkedAtOnce - 1) continue
      checked(index + 1, entries.length)
      yield* nextTurn
    }
    const [first, ...others] = problems
    if (first !== undefined) return yield* new SessionFileInvalid({ problems: [first, ...others] })
    return [...sessions.values()]
  })

/** The session of an entry. Its id must not be that of an entry before it. */
const newSessionOf = (
  { place, value }: Entry,
  guard: AddressGuard,
  before: ReadonlyMap<string, NewSession>,
): Parsed<NewSession> =>
  sessionOf(value, guard).pipe(
    Either.filterOrLeft(
      ({ id }) => !before.has(id),
      ({ id }) => `the id ${JSON.stringify(id)} stands twice`,
    ),
    Either.mapLeft((problem) => `${place}: ${problem}`),
  )
