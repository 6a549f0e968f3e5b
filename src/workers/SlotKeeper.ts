import { Effect, type Scope } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { PlaceCount } from "../traffic/PlaceCount.js"
import { limitsOf, type SlotKind } from "../traffic/SlotLimits.js"
import { slotNumbers, slotsTaken, slotsWanted } from "./Messages.js"
import type { Workers, WorkerLink } from "./Workers.js"

type Wanted = typeof slotsWanted.body.Type
type Answered = typeof slotsTaken.body.Type
type Counts = { readonly [Kind in SlotKind]: PlaceCount<string> }

/** The places that one worker has, by its numbers. */
class PlacesOfWorker {
  private readonly held = new Map<number, { readonly kind: SlotKind; readonly owner: string }>()

  constructor(private readonly counts: Counts) {}

  /** Does what a worker wants, and says what it is told. */
  serve({ give, take }: Wanted): Answered {
    for (const number of give) this.give(number)
    const full: Array<Answered["full"][number]> = []
    for (const { isExempt, kind, number, owner } of take) {
      const limit = this.counts[kind].take(owner, isExempt)
      if (limit === undefined) this.held.set(number, { kind, owner })
      else full.push({ number, limit })
    }
    return { upTo: take.at(-1)?.number ?? 0, full }
  }

  /** It is dead. */
  giveAll(): void {
    for (const number of Array.from(this.held.keys())) this.give(number)
  }

  private give(number: number): void {
    const place = this.held.get(number)
    if (place === undefined) return
    this.held.delete(number)
    this.counts[place.kind].give(place.owner)
  }
}

/**
 * Counts, for as long as the scope lasts, what all workers have of which the program may have only so many. It must be there
 * before the first of them. What a worker has when it is gone is given back; those that retire have theirs until then.
 */
export const keepSlots = ({ watch }: typeof Workers.Service): Effect.Effect<void, never, ProxyConfig | Scope.Scope> =>
  Effect.gen(function* () {
    const limits = limitsOf(yield* ProxyConfig)
    const counts: Counts = {
      connections: new PlaceCount(limits.connections),
      webSockets: new PlaceCount(limits.webSockets),
      requests: new PlaceCount(limits.requests),
    }
    const places = new Map<WorkerLink, PlacesOfWorker>()
    const came = (worker: WorkerLink): void => {
      const own = new PlacesOfWorker(counts)
      places.set(worker, own)
      worker.hear(slotsWanted, (wanted) => {
        const answered = own.serve(wanted)
        if (wanted.take.length > 0) worker.tell(slotsTaken, answered)
      })
      worker.answer(slotNumbers, ({ session }) =>
        Effect.sync(() => ({
          requestsOfSession: counts.requests.of(session),
          webSocketsOfSession: counts.webSockets.of(session),
          webSockets: counts.webSockets.inAll,
        })),
      )
    }
    const gone = (worker: WorkerLink): void => {
      places.get(worker)?.giveAll()
      places.delete(worker)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => watch({ came, gone })),
      (stop) => Effect.sync(stop),
    )
  })
