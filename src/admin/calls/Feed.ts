import { Duration, Effect, Either, Fiber, type Scope } from "effect"
import { version } from "../../domain/Version.js"
import { SessionDiffer, type SessionDifference } from "../../sessions/SessionDiffer.js"
import type { SessionRepo } from "../../sessions/SessionRepo.js"
import { randomHex } from "../../wire/RandomHex.js"
import { eventText } from "../fleet/EventText.js"
import { sessionView } from "../fleet/Shapes.js"

/** So many of the last events are kept for who was away, or is slow. */
const mostKept = 1_000

/** Between two looks, in milliseconds; and how much longer than a look that is at least. */
const interval = 1_000
const restFactor = 3

interface FeedEvent {
  /** The session that it is about; `undefined` for all. */
  readonly session: string | undefined
  readonly text: string
}

/**
 * Which sessions there are, as they change. One look at the store for all who read, and none while nobody does; what was known
 * then is the basis of the next.
 */
export class Feed {
  private readonly differ: SessionDiffer
  /** Names this feed in the ids of its events: those of another mean nothing here. */
  private readonly name = randomHex(4)
  private readonly events: Array<FeedEvent> = []
  /** How many events there were in all. */
  private count = 0
  private hasFailed = false
  private readonly latches = new Set<Effect.Latch>()
  private looking: Fiber.Fiber<never> | undefined
  private readonly one = Effect.unsafeMakeSemaphore(1)

  constructor(
    repo: typeof SessionRepo.Service,
    private readonly scope: Scope.Scope,
  ) {
    this.differ = new SessionDiffer(repo)
  }

  /** Reads for as long as the scope lasts. `lastId`: goes on behind the event of this id. */
  read(prefix: string, lastId: string | undefined): Effect.Effect<Effect.Effect<string>, never, Scope.Scope> {
    return Effect.gen(this, function* () {
      // What changes from here on is told; what was there, its reader lists.
      yield* this.look
      const latch = yield* Effect.acquireRelease(this.join, (latch) => this.leave(latch))
      let next = lastId === undefined ? this.count : this.placeBehind(lastId)
      let isFirst = true
      return Effect.gen(this, function* () {
        yield* latch.await
        yield* latch.close
        const hello = isFirst ? eventText("hello", JSON.stringify({ version }), this.idOf(next ?? this.count)) : ""
        const since = next
        isFirst = false
        next = this.count
        return hello + this.textSince(since, prefix)
      }).pipe(Effect.repeat({ until: (text) => text !== "" }))
    })
  }

  private get join(): Effect.Effect<Effect.Latch> {
    return Effect.gen(this, function* () {
      const latch = yield* Effect.makeLatch(true)
      this.latches.add(latch)
      const round = Effect.flatMap(Effect.timed(this.look), ([took]) =>
        Effect.sleep(Math.max(interval, restFactor * Duration.toMillis(took))),
      )
      // This runs where nothing is interrupted; the rounds are to be.
      this.looking ??= yield* Effect.forkIn(Effect.interruptible(Effect.forever(round)), this.scope)
      return latch
    })
  }

  private leave(latch: Effect.Latch): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.latches.delete(latch)
      const { looking } = this
      if (this.latches.size > 0 || looking === undefined) return Effect.void
      this.looking = undefined
      return Fiber.interrupt(looking)
    })
  }

  private idOf(place: number): string {
    return `${this.name}-${place}`
  }

  /** Where to go on behind the event of this id; `undefined` where it is not known any more. */
  private placeBehind(id: string): number | undefined {
    const [name, place = ""] = id.split("-")
    if (name !== this.name || !/^\d{1,15}$/.test(place)) return undefined
    const next = Number(place)
    return next <= this.count && next >= this.count - this.events.length ? next : undefined
  }

  private textSince(place: number | undefined, prefix: string): string {
    const first = this.count - this.events.length
    if (place === undefined || place < first) return eventText("reset", "{}", this.idOf(this.count))
    return this.events
      .slice(place - first)
      .filter(({ session }) => session?.startsWith(prefix) ?? true)
      .map(({ text }) => text)
      .join("")
  }

  /** Looks at the store, one look at a time. While it cannot be read, nothing is said; afterwards, that all is to be listed again. */
  private get look(): Effect.Effect<void> {
    const look = Effect.map(Effect.either(this.differ.look), (found) => {
      if (Either.isLeft(found)) this.hasFailed = true
      else if (this.hasFailed) {
        this.hasFailed = false
        this.add(undefined, "reset", {})
      } else this.take(found.right)
    })
    return this.one.withPermits(1)(look)
  }

  private take(difference: SessionDifference): void {
    if (difference._tag === "Nothing") return
    if (difference._tag === "Reset" || difference.put.length + difference.removed.length > mostKept)
      return this.add(undefined, "reset", {})
    for (const id of difference.removed) this.add(id, "remove", { id })
    for (const session of difference.put) this.add(session.id, "put", sessionView(session))
  }

  private add(session: string | undefined, event: string, data: object): void {
    this.count++
    this.events.push({ session, text: eventText(event, JSON.stringify(data), this.idOf(this.count)) })
    if (this.events.length > mostKept) this.events.shift()
    for (const latch of this.latches) latch.unsafeOpen()
  }
}
