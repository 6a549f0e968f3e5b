import { Duration, Effect, Layer } from "effect"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import { catalogue } from "../telemetry/Catalogue.js"
import { type Cells, cellOf } from "../telemetry/Cells.js"
import { Telemetry } from "../telemetry/Telemetry.js"

/** Sessions are counted at most so often: to count many takes a while. */
const tallyAge = Duration.seconds(30)

const fillDirectory = (directory: typeof SessionDirectory.Service, cells: Cells): void => {
  const { age, ended, entries, failing, failures, lookups, refreshes } = directory.numbers()
  cells.set(cellOf(catalogue.lookups, "hit"), lookups.hit)
  cells.set(cellOf(catalogue.lookups, "read"), lookups.read)
  cells.set(cellOf(catalogue.lookups, "missing"), lookups.missing)
  cells.set(cellOf(catalogue.lookups, "failed"), lookups.failed)
  cells.set(catalogue.refreshes.offset, refreshes)
  cells.set(catalogue.directoryEntries.offset, entries)
  cells.set(catalogue.sessionsFailing.offset, failing)
  cells.set(catalogue.directoryAge.offset, Number.isFinite(age) ? age / 1_000 : Number.NaN)
  cells.add(catalogue.storeFailures.offset, failures)
  cells.set(cellOf(catalogue.sessionsEnded, "removed"), ended.removed)
  cells.set(cellOf(catalogue.sessionsEnded, "retargeted"), ended.retargeted)
  cells.set(cellOf(catalogue.sessionsEnded, "killed"), ended.killed)
  cells.set(cellOf(catalogue.sessionsEnded, "shutdown"), ended.shutdown)
  cells.set(cellOf(catalogue.sessionsEnded, "stale"), ended.stale)
}

/** Puts what the directory and the store have to tell into the numbers, whenever somebody reads them. */
export const layerProxyNumbers: Layer.Layer<never, never, SessionDirectory | SessionRepo> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const counters = yield* Telemetry
    const directory = yield* SessionDirectory
    const { tally } = yield* SessionRepo
    let [forwarding, others] = [Number.NaN, Number.NaN]
    // A store that cannot be read leaves the last numbers, and counts as a failure elsewhere.
    const counted = Effect.ignore(
      Effect.map(tally, (found) => {
        ;[forwarding, others] = [found.forwarding, found.others]
      }),
    )
    const forget = counters.readAlso({
      prepare: yield* Effect.cachedWithTTL(counted, tallyAge),
      fill: (cells) => {
        fillDirectory(directory, cells)
        cells.set(cellOf(catalogue.sessions, "true"), forwarding)
        cells.set(cellOf(catalogue.sessions, "false"), others)
      },
    })
    yield* Effect.addFinalizer(() => Effect.sync(forget))
  }),
)
