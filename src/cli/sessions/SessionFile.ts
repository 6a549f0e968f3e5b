import { Data, Effect, Either } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import type { AddressGuard } from "../../downstream/AddressGuard.js"
import type { NewSession } from "../../sessions/SessionRepo.js"
import { parseJson, type Parsed, sessionOf } from "../../transfer/SessionEntry.js"

/** An entry of a file, and its place there, such as `line 3`. */
interface Entry {
  readonly place: string
  readonly value: unknown
}

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
