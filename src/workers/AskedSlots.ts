import { Effect, Exit, FiberSet, type Scope } from "effect"
import { Deadline, Deadlines } from "../clock/Deadlines.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { Call, type CallListener } from "../step/Call.js"
import type { PlaceLimits } from "../traffic/PlaceCount.js"
import { isLimited, limitsOf, type SlotKind } from "../traffic/SlotLimits.js"
import type { ConnectingClient, SlotsOf, SlotsService, Taken } from "../traffic/Slots.js"
import { answerTime, type Channel } from "./Channel.js"
import { slotNumbers, slotsTaken, slotsWanted } from "./Messages.js"

type Wanted = (typeof slotsWanted.body.Type)["take"][number]

/** A place that nobody counts: there is nothing to give back. */
const uncounted: Exit.Exit<Taken> = Exit.succeed(() => {})

/** Wants a place of the supervisor. */
class AskedPlace extends Call<Taken> {
  private listener: CallListener<Taken, never> | undefined
  /** 0 while it is not asked for. */
  private number = 0
  private isGiven = false

  constructor(
    private readonly asker: SlotAsker,
    private readonly kind: SlotKind,
    private readonly owner: string,
    private readonly isExempt: boolean,
  ) {
    super()
  }

  override start(listener: CallListener<Taken, never>): void {
    this.listener = listener
    const { isExempt, kind, owner } = this
    this.number = this.asker.ask(this, { kind, owner, isExempt })
  }

  override cancel(): void {
    if (this.number > 0 && this.asker.isWaiting(this.number)) this.give()
  }

  /** It has the place; also where nobody has said so, which giving back takes account of. */
  taken(): void {
    this.listener?.settled(Exit.succeed(() => this.give()))
  }

  full(limit: "all" | "own"): void {
    this.listener?.settled(Exit.succeed(limit))
  }

  private give(): void {
    if (this.isGiven) return
    this.isGiven = true
    this.asker.give(this.number)
  }
}

/**
 * Asks the supervisor for places. What is wanted and given back in one turn of the event loop goes in one message, for a message
 * costs more than all that is in it.
 *
 * To serve comes before to count: where the supervisor says nothing for `longestWait` milliseconds, or is gone, all that wait
 * have their place, and so does whoever comes until it says something again.
 */
class SlotAsker {
  private lastNumber = 0
  private readonly waiting = new Map<number, AskedPlace>()
  private readonly unsent = new Map<number, Wanted>()
  private given: Array<number> = []
  private willSend = false
  private isSilent = false
  private readonly patience: Deadlines
  /** What has come while this process was busy is read first: a turn of the event loop begins with timers. */
  private readonly deadline = new Deadline({ expire: () => void setImmediate(this.fallSilent) })

  constructor(
    private readonly channel: Channel,
    /** Tells the log that the supervisor is silent, or no more. */
    private readonly noteSilence: (isSilent: boolean) => void,
    longestWait: number,
  ) {
    this.patience = new Deadlines(longestWait)
  }

  take(kind: SlotKind, owner: string, isExempt: boolean): Exit.Exit<Taken> | Call<Taken> {
    if (this.isSilent || !this.channel.isOpen) return uncounted
    return new AskedPlace(this, kind, owner, isExempt)
  }

  /** Asks for a place, and gives its number. */
  ask(place: AskedPlace, wanted: Omit<Wanted, "number">): number {
    const number = ++this.lastNumber
    if (this.waiting.size === 0) this.patience.start(this.deadline)
    this.waiting.set(number, place)
    this.unsent.set(number, { number, ...wanted })
    this.sendSoon()
    return number
  }

  isWaiting(number: number): boolean {
    return this.waiting.has(number)
  }

  /** Gives a place back, or wants it no more. */
  give(number: number): void {
    if (this.waiting.delete(number) && this.waiting.size === 0) this.patience.stop(this.deadline)
    if (this.unsent.delete(number)) return
    this.given.push(number)
    this.sendSoon()
  }

  /** The supervisor has done what it was asked. */
  answered({ full, upTo }: typeof slotsTaken.body.Type): void {
    if (this.isSilent) this.noteSilence(false)
    this.isSilent = false
    const limits = new Map(full.map(({ limit, number }) => [number, limit]))
    for (const [number, place] of Array.from(this.waiting)) {
      if (number > upTo) break
      // What follows for one may be the end of another.
      if (!this.waiting.delete(number)) continue
      const limit = limits.get(number)
      if (limit === undefined) place.taken()
      else place.full(limit)
    }
    if (this.waiting.size === 0) this.patience.stop(this.deadline)
    else this.patience.start(this.deadline)
  }

  /** The supervisor is gone. */
  readonly release = (): void => {
    this.patience.clear()
    this.letAllIn()
  }

  private readonly fallSilent = (): void => {
    if (this.waiting.size === 0 || this.deadline.isRunning) return
    this.isSilent = true
    // Some answer has to come that ends the silence.
    this.send()
    this.noteSilence(true)
    this.letAllIn()
  }

  private letAllIn(): void {
    for (const [number, place] of Array.from(this.waiting)) if (this.waiting.delete(number)) place.taken()
  }

  private sendSoon(): void {
    if (this.willSend) return
    this.willSend = true
    setImmediate(this.send)
  }

  /** Sends what waits for the end of the turn. */
  readonly send = (): void => {
    this.willSend = false
    const [give, take] = [this.given, Array.from(this.unsent.values())]
    this.given = []
    this.unsent.clear()
    if (give.length > 0 || take.length > 0) this.channel.tell(slotsWanted, { give, take })
  }
}

const silenceOf = (isSilent: boolean): Effect.Effect<void> =>
  isSilent
    ? Effect.logWarning("the supervisor does not answer; limits of number are not kept until it does")
    : Effect.logInfo("the supervisor answers again; limits of number are kept")

/**
 * Slots of a worker: the supervisor counts those of all workers, where there is a limit. Sessions count by their ids, so that
 * one that is removed and made again begins with the places of what is left of the old one, until that has ended.
 */
export const askedSlots = (
  channel: Channel,
  longestWait: number = answerTime,
): Effect.Effect<SlotsService, never, ProxyConfig | Scope.Scope> =>
  Effect.gen(function* () {
    const limits = limitsOf(yield* ProxyConfig)
    const fork = yield* FiberSet.makeRuntime<never>()
    const asker = new SlotAsker(channel, (isSilent) => fork(silenceOf(isSilent)), longestWait)
    yield* Effect.acquireRelease(
      Effect.sync(() => channel.hear(slotsTaken, (answer) => asker.answered(answer))),
      (stop) => Effect.sync(stop),
    )
    yield* Effect.addFinalizer(() => Effect.sync(asker.release))
    yield* Effect.forkScoped(Effect.zipRight(channel.closed, Effect.sync(asker.release)))
    const ofSessions = (kind: SlotKind, given: PlaceLimits): SlotsOf<LiveSession> | undefined =>
      isLimited(given) ? { take: ({ id }) => asker.take(kind, id, false) } : undefined
    const isFree = ({ isTrusted }: ConnectingClient) => isTrusted && limits.connections.all === Infinity
    return {
      connections: isLimited(limits.connections)
        ? {
            take: (one) => (isFree(one) ? uncounted : asker.take("connections", one.client, one.isTrusted)),
          }
        : undefined,
      webSockets: ofSessions("webSockets", limits.webSockets),
      requests: ofSessions("requests", limits.requests),
      taken: ({ id }) =>
        Effect.zipRight(Effect.sync(asker.send), channel.ask(slotNumbers, { session: id })).pipe(
          Effect.map(({ requestsOfSession, webSockets, webSocketsOfSession }) => ({
            requestsOfSession: isLimited(limits.requests) ? requestsOfSession : undefined,
            webSocketsOfSession: isLimited(limits.webSockets) ? webSocketsOfSession : undefined,
            webSockets: isLimited(limits.webSockets) ? webSockets : undefined,
          })),
          Effect.orElseSucceed(() => ({
            requestsOfSession: undefined,
            webSocketsOfSession: undefined,
            webSockets: undefined,
          })),
        ),
    }
  })
