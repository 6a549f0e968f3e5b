import { Deferred, Effect, FiberId, Random, type Scope } from "effect"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import type { SessionRepo, StoreFeed } from "../SessionRepo.js"
import { type FeedClient, hearWord, listenStatement, openClient, type WrittenRows, writtenRows } from "./FeedClient.js"
import { FeedRing } from "./FeedRing.js"
import { mayPass } from "./PostgresFault.js"
import { type PostgresPlace, placeText } from "./PostgresPlace.js"
import { channelOf } from "./PostgresSchema.js"
import { SafetyNet } from "./SafetyNet.js"

/** How often a feed does what, in milliseconds. */
export interface FeedTimes {
  /** Between two questions whether the server is there. */
  readonly heartbeat: number
  /** Time limit of an answer, and of a notice that has to come: a server that takes longer counts as gone. */
  readonly answer: number
  /** After so long it is looked whether anything was written of which no notice came. */
  readonly safetyNet: number
}

const usualTimes: FeedTimes = { heartbeat: 1_000, answer: 2_000, safetyNet: 10_000 }

// Between two attempts to connect, in milliseconds: the first wait, and the longest.
const firstWait = 50
const longestWait = 500

export interface FeedOptions {
  /** Where statements go. */
  readonly place: PostgresPlace
  /** Where notices come from, if they do not come there: past a pooler. */
  readonly listenPlace?: PostgresPlace
  /** How long to wait at the start for a server that cannot be reached, in milliseconds; 0 unless said otherwise. */
  readonly patience?: number
  readonly times?: Partial<FeedTimes>
}

type Repo = typeof SessionRepo.Service

/** The changes of a database, as its triggers tell them. */
export interface PostgresFeed extends StoreFeed {
  readonly version: Repo["version"]
  readonly changes: NonNullable<Repo["changes"]>
  /** Why changes are not heard of; `undefined` while they are. */
  readonly fault: () => StoreUnavailable | undefined
  /** A statement has succeeded elsewhere: a connection is worth trying now. */
  readonly nudge: () => void
}

/** Listens until the scope closes. Succeeds once it does; fails where it could not, within `patience`. */
export const startFeed = (options: FeedOptions): Effect.Effect<PostgresFeed, StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const feed = new Feed(options)
    yield* Effect.forkScoped(feed.run)
    yield* Deferred.await(feed.started)
    return feed
  })

const notYet = new StoreUnavailable({ problem: "the database has not answered yet", hint: "Wait." })

const asDefect = (defect: unknown): Effect.Effect<StoreUnavailable> =>
  Effect.succeed(
    new StoreUnavailable({
      problem: `the feed of the database failed: ${String(defect)}`,
      hint: "Report this.",
      cause: defect,
    }),
  )

/** The fiber makes its changes by plain calls, and is asked by them: the latch is opened by its "unsafe" method for that. */
class Feed implements PostgresFeed {
  readonly started = Deferred.unsafeMake<void, StoreUnavailable>(FiberId.none)
  private readonly ring = new FeedRing()
  private readonly listeners = new Set<() => void>()
  private readonly nudged = Effect.unsafeMakeLatch(false)
  private readonly place: PostgresPlace
  private readonly listenPlace: PostgresPlace
  private readonly patience: number
  private readonly times: FeedTimes
  private away: StoreUnavailable | undefined = notYet
  private lastHeard = Number.NEGATIVE_INFINITY
  private wait = firstWait
  private saidNotCounting = false
  /** Of the connection that there is. */
  private net: SafetyNet | undefined

  constructor({ listenPlace, patience = 0, place, times }: FeedOptions) {
    this.place = place
    this.listenPlace = listenPlace ?? place
    this.patience = patience
    this.times = { ...usualTimes, ...times }
  }

  readonly version = () => Effect.succeed(this.ring.version)
  readonly changes = (since: number) => this.ring.changes(since)
  readonly isUp = () => this.away === undefined
  readonly fault = () => this.away
  readonly heardAt = () => this.lastHeard
  readonly nudge = (): void => {
    if (this.away !== undefined) this.nudged.unsafeOpen()
  }
  readonly changed = (tell: () => void): Effect.Effect<void, never, Scope.Scope> =>
    Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => this.listeners.add(tell)),
        () => Effect.sync(() => this.listeners.delete(tell)),
      ),
    )

  private tell(): void {
    for (const listener of this.listeners) listener()
  }

  /** One connection after another. Never ends. */
  get run(): Effect.Effect<never> {
    return Effect.gen(this, function* () {
      const startedAt = performance.now()
      while (true) {
        const error = yield* Effect.flip(Effect.scoped(this.life)).pipe(Effect.catchAllDefect(asDefect))
        const mayStart = performance.now() - startedAt < this.patience && mayPass(error.cause)
        if (!mayStart) yield* Deferred.fail(this.started, error)
        yield* this.lose(error)
        this.nudged.unsafeClose()
        const jitter = yield* Random.nextRange(0.75, 1.25)
        yield* Effect.timeoutOption(this.nudged.await, this.wait * jitter)
        this.wait = Math.min(2 * this.wait, longestWait)
      }
    })
  }

  /** One connection, until it is lost. */
  private get life(): Effect.Effect<never, StoreUnavailable, Scope.Scope> {
    return Effect.gen(this, function* () {
      const { schema } = this.place
      this.net = undefined
      const client = yield* openClient(this.listenPlace, this.times.answer)
      const channel = channelOf(schema)
      client.onNotice((notice) => {
        if (notice.channel !== channel) return
        this.net?.named(this.ring.notice(notice.payload))
        this.tell()
      })
      return yield* Effect.raceFirst(this.listen(client, schema), client.lost)
    })
  }

  private listen(client: FeedClient, schema: string): Effect.Effect<never, StoreUnavailable> {
    return Effect.gen(this, function* () {
      yield* client.ask(listenStatement(schema))
      yield* hearWord(client, { listens: this.listenPlace, speaks: this.place, answer: this.times.answer })
      const first = yield* this.beat(client, schema)
      if (!first.counts && !this.saidNotCounting) {
        this.saidNotCounting = true
        yield* Effect.logWarning(
          "the server counts no rows (track_counts is off): a change is noticed by its trigger alone, never by that",
        )
      }
      yield* this.comeUp
      return yield* this.watch(client, schema, first)
    })
  }

  /** Finds what was changed and not told. */
  private watch(client: FeedClient, schema: string, first: WrittenRows): Effect.Effect<never, StoreUnavailable> {
    return Effect.gen(this, function* () {
      let known = first.tables
      let lookedAt = performance.now()
      let net = new SafetyNet(first.total, lookedAt)
      this.net = net
      while (true) {
        yield* Effect.sleep(this.times.heartbeat)
        const { tables, total } = yield* this.beat(client, schema)
        const now = performance.now()
        const areOthers = tables !== known
        if (!areOthers && now - lookedAt < this.times.safetyNet) continue
        lookedAt = now
        if (areOthers) {
          known = tables
          net = new SafetyNet(total, now)
          this.net = net
          yield* Effect.logWarning(
            "tables of the database were removed or made again: `ss-proxy check` says whether they tell of changes",
          )
        } else if (!net.isTorn(total, now)) continue
        this.ring.everything()
        this.tell()
      }
    })
  }

  /** What was committed before this was asked has been told when the answer is here. */
  private beat(client: FeedClient, schema: string) {
    return Effect.suspend(() => {
      const askedAt = performance.now()
      return Effect.tap(writtenRows(client, schema), () => {
        this.lastHeard = askedAt
      })
    })
  }

  /** Nobody knows what has changed before. */
  private get comeUp(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isFirst = this.away === notYet
      this.away = undefined
      this.wait = firstWait
      this.ring.everything()
      this.tell()
      Deferred.unsafeDone(this.started, Effect.void)
      return isFirst ? Effect.void : Effect.logInfo(`the database ${placeText(this.listenPlace)} is back`)
    })
  }

  /** One line for an outage, however long it is. */
  private lose(error: StoreUnavailable): Effect.Effect<void> {
    return Effect.suspend(() => {
      const wasUp = this.away === undefined
      this.away = error
      if (!wasUp) return Effect.void
      this.tell()
      return Effect.logWarning(`known sessions go on unchecked, all others are refused: ${error.message}`)
    })
  }
}
