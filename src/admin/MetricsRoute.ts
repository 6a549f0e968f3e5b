import { Effect, type Scope } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { Turns } from "../clock/Turns.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import { exposition, expositionType } from "../telemetry/Exposition.js"
import { Taps } from "../telemetry/RecordTaps.js"
import { SessionSeries, SessionText } from "../telemetry/SessionSeries.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import { Traffic } from "../traffic/Traffic.js"
import type { AdminRoute } from "./AdminRoute.js"

/** Rows that are read in one turn of the event loop: a millisecond of work at most. */
const sliceSize = 40

/** Which of these sessions have no row any more; none where the store cannot be read. */
const goneOf = (repo: typeof SessionRepo.Service, ids: ReadonlyArray<string>): Effect.Effect<ReadonlySet<string>> =>
  Effect.gen(function* () {
    const gone = new Set(ids)
    for (let at = 0; at < ids.length; at += sliceSize) {
      const rows = yield* repo.findMany(ids.slice(at, at + sliceSize))
      for (const { session } of rows) gone.delete(session.id)
      yield* nextTurn
    }
    return gone
  }).pipe(Effect.orElseSucceed(() => new Set<string>()))

/** Counts by session for as long as the scope lasts, and gives the text of that. */
const countSessions = (
  most: number,
): Effect.Effect<Effect.Effect<string>, never, SessionDirectory | SessionRepo | Traffic | Scope.Scope> =>
  Effect.gen(function* () {
    const directory = yield* SessionDirectory
    const repo = yield* SessionRepo
    const traffic = yield* Traffic
    const taps = yield* Taps
    const series = new SessionSeries(most, (id) => directory.activityOf(id) !== undefined)
    yield* Effect.acquireRelease(
      Effect.sync(() => taps.attach(series)),
      (leave) => Effect.sync(leave),
    )
    return Effect.gen(function* () {
      const gone = yield* goneOf(repo, series.ids)
      const shown = series.read(traffic.things(), gone)
      const text = new SessionText()
      const turns = new Turns()
      for (const one of shown) {
        text.add(one)
        yield* turns.pause
      }
      return text.text
    })
  })

/** What Prometheus scrapes. With the ids of sessions in it, it is as secret as they are. */
export const makeMetricsRoute: Effect.Effect<
  AdminRoute,
  never,
  ProxyConfig | SessionDirectory | SessionRepo | Traffic | Scope.Scope
> = Effect.gen(function* () {
  const { metricsSessions } = yield* ProxyConfig
  const counters = yield* Telemetry
  const ofSessions = metricsSessions === 0 ? Effect.succeed("") : yield* countSessions(metricsSessions)
  const body = Effect.zipWith(counters.snapshot, ofSessions, (snapshot, text) => exposition(snapshot) + text)
  return {
    path: "/metrics",
    needsToken: metricsSessions > 0,
    answer: () => Effect.map(body, (text) => ({ status: 200, type: expositionType, body: text })),
  }
})
