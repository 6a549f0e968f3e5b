import { Clock, Effect, type Option, type Scope } from "effect"
import type { AdminCalls } from "../admin/AdminClient.js"
import { callFailed, callsAt, isNotFound, runningPlaces } from "../admin/Proxies.js"
import type { Database } from "../Database.js"
import { CommandFailed } from "../Failure.js"
import { type LiveCount, liveInWords } from "../InWords.js"
import { printDiagnostic, printPiece } from "../Output.js"
import { progressLine } from "../Progress.js"
import { renderJsonLine } from "./SessionView.js"

/** Between two looks, in milliseconds. A drain is in force on all proxies within the first. */
const lookInterval = 1_000

/** What is left of a session that drains, on all proxies. */
interface Left extends LiveCount {
  readonly drainingUntil: string | null
}

const sumOf = ({ requests, streams, websockets }: Left): number => requests + streams + websockets

/** What one proxy says; `undefined` where it knows no such session, and so has none of it. */
const leftAt = (calls: AdminCalls, id: string): Effect.Effect<Left | undefined, CommandFailed> =>
  calls.sessions.find({ path: { id } }).pipe(
    Effect.map(({ draining_until, live = { requests: 0, streams: 0, websockets: 0 } }) => ({
      requests: live.requests,
      streams: live.streams,
      websockets: live.websockets,
      drainingUntil: draining_until,
    })),
    Effect.catchAll((error) => (isNotFound(error) ? Effect.succeed(undefined) : callFailed(error))),
  )

/** What all proxies say that run now; `undefined` where none does, or the session is gone. */
const leftNow = (id: string, admin: Option.Option<string>, database: Database) =>
  Effect.gen(function* () {
    const proxies = yield* callsAt(yield* runningPlaces(admin, database))
    const answers = yield* Effect.forEach(proxies, (calls) => leftAt(calls, id), { concurrency: 8 })
    const known = answers.flatMap((left) => left ?? [])
    const left = known.reduce<Left | undefined>(
      (sum, one) => ({
        requests: (sum?.requests ?? 0) + one.requests,
        streams: (sum?.streams ?? 0) + one.streams,
        websockets: (sum?.websockets ?? 0) + one.websockets,
        drainingUntil: one.drainingUntil,
      }),
      undefined,
    )
    return { proxies: proxies.length, left }
  })

const tell = (id: string, left: Left, json: boolean, progress: (line: string) => void): Effect.Effect<void> => {
  if (!json) return Effect.sync(() => progress(`left: ${liveInWords(left)}`))
  const { drainingUntil, requests, streams, websockets } = left
  return printPiece(`${renderJsonLine({ id, draining_until: drainingUntil, requests, streams, websockets })}\n`)
}

/**
 * Waits until nothing is left on a session that drains, and shows it falling; with `json` a line each second. Fails if somebody
 * lets it take requests again. Without a proxy nothing can be left, which is said.
 */
export const waitForDrain = (
  id: string,
  admin: Option.Option<string>,
  database: Database,
  json: boolean,
): Effect.Effect<void, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const progress = yield* progressLine
    const begun = yield* Clock.currentTimeMillis
    const look = Effect.gen(function* () {
      const { left, proxies } = yield* leftNow(id, admin, database)
      if (proxies === 0) {
        yield* printDiagnostic("note: no proxy runs on this database, so nothing is under way")
        return true
      }
      if (left === undefined) return true
      if (left.drainingUntil === null)
        return yield* new CommandFailed({
          code: "drain_ended",
          problem: `${id} takes requests again: another program ended its drain`,
          hint: "drain it again if you did not intend this",
        })
      yield* tell(id, left, json, progress)
      // A proxy that has not seen yet that the session drains may still take something.
      const isInForce = (yield* Clock.currentTimeMillis) - begun >= lookInterval
      return isInForce && sumOf(left) === 0
    })
    let isOver = yield* look
    while (!isOver) isOver = yield* Effect.delay(look, lookInterval)
  })
