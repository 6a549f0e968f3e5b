import { Effect, type Scope } from "effect"
import { nextTurn } from "../../clock/NextTurn.js"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Taps } from "../../telemetry/RecordTaps.js"
import { SessionSeries } from "../../telemetry/SessionSeries.js"
import { Traffic } from "../../traffic/Traffic.js"
import type { Answers } from "../fleet/Questions.js"

/** Rows that are read in one turn of the event loop: a millisecond of work at most. */
const sliceSize = 40

/** Which of these sessions have no row any more; none where the store cannot be read. */
export const goneOf = (
  repo: typeof SessionRepo.Service,
  ids: ReadonlyArray<string>,
): Effect.Effect<ReadonlySet<string>> =>
  Effect.gen(function* () {
    const gone = new Set(ids)
    for (let at = 0; at < ids.length; at += sliceSize) {
      const rows = yield* repo.findMany(ids.slice(at, at + sliceSize))
      for (const { session } of rows) gone.delete(session.id)
      yield* nextTurn
    }
    return gone
  }).pipe(Effect.orElseSucceed(() => new Set<string>()))

/** Counts by session for as long as the scope lasts, for so many; 0: not at all. */
export const makeSeriesAnswers = (
  most: number,
): Effect.Effect<Pick<Answers, "series">, never, SessionDirectory | SessionRepo | Traffic | Scope.Scope> =>
  Effect.gen(function* () {
    if (most === 0) return { series: () => Effect.succeed([]) }
    const directory = yield* SessionDirectory
    const repo = yield* SessionRepo
    const traffic = yield* Traffic
    const taps = yield* Taps
    const series = new SessionSeries(most, (id) => directory.activityOf(id) !== undefined)
    yield* Effect.acquireRelease(
      Effect.sync(() => taps.attach(series)),
      (leave) => Effect.sync(leave),
    )
    return {
      series: () => Effect.map(goneOf(repo, series.ids), (gone) => series.read(traffic.things(), gone)),
    }
  })
