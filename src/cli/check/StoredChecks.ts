import { Effect } from "effect"
import { isForwarding, type Session } from "../../domain/Session.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { rowFault } from "../../sessions/RowFault.js"
import { type Database, openAsItIs } from "../Database.js"
import { countInWords } from "../InWords.js"
import { type Finding, findingsOf, unavailable } from "./Finding.js"

const shownSessions = 3

const { ok, warn } = findingsOf("stored")

/** Why requests for a session get 502, though its status forwards: a phrase. None where they do not. */
const problemOf = (session: Session): string | undefined =>
  isForwarding(session.status) ? rowFault(session) : undefined

const findingFor = (unusable: number, shown: ReadonlyArray<string>): Finding => {
  if (unusable === 0) return ok("every stored session can be used")
  const more = unusable > shown.length ? [`${unusable - shown.length} more`] : []
  return warn(
    `requests get 502 for ${countInWords(unusable, "session")} whose row cannot be used: ${[...shown, ...more].join("; ")}`,
    "correct them with `ss-proxy sessions set`, or where they were written",
  )
}

/** Whether URL, policies and control of all sessions can be used: programs that write them by SQL are not checked then. */
export const storedChecks = (database: Database): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const shown: Array<string> = []
    let unusable = 0
    yield* repo.forEachPage({ sort: "id", prefix: "" }, (sessions) =>
      Effect.sync(() => {
        for (const session of sessions) {
          const problem = problemOf(session)
          if (problem !== undefined && ++unusable <= shownSessions) shown.push(`${session.id} (${problem})`)
        }
        return true
      }),
    )
    return findingFor(unusable, shown)
  }).pipe(
    Effect.provide(openAsItIs(database)),
    Effect.catchAll((error) => Effect.succeed(unavailable("stored", error))),
  )
