import { Array as Arr, Clock, Effect, Layer, Option, Schedule } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { ActivityStore, forEachPage, pageSize } from "../sessions/ActivityStore.js"
import { latestOf, type SessionActivity, type StoredActivity } from "../sessions/SessionActivity.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import type { ActivityRound } from "./ActivityRound.js"
import { Traffic } from "./Traffic.js"

/** How long the activity of a session that is gone is kept, counted from its last sign; and how often that is seen to. */
const keptFor = 7 * 86_400_000
const forgetInterval = 3_600_000

/** Sessions that are looked up in one turn of the event loop. */
const lookupSize = 100

/** Writes down what `ActivityRound` finds, where there is a store for it. */
class ActivityKeeper {
  /** What the log has said of an outage that goes on. */
  private told: string | undefined

  constructor(
    private readonly activity: ActivityRound,
    private readonly store: typeof ActivityStore.Service,
    private readonly repo: typeof SessionRepo.Service,
  ) {}

  /** Makes what is to be made, so that whoever looks for the file finds it. */
  get begin(): Effect.Effect<void> {
    return this.store.write([]).pipe(Effect.matchEffect({ onFailure: this.tell, onSuccess: () => Effect.void }))
  }

  /** Stores what has changed up to now; what cannot be stored, or is interrupted, waits for the next time. */
  get write(): Effect.Effect<void> {
    return Effect.suspend(() => this.writePages(Math.ceil(this.activity.waiting / pageSize)))
  }

  private writePages(most: number): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      for (let page = 0; page < most; page++) {
        const changed = this.activity.takeChanged(pageSize)
        if (changed.length === 0) return
        yield* this.writePage(changed)
        yield* this.tellOfReturn
      }
    }).pipe(Effect.catchAll(this.tell))
  }

  private writePage(changed: ReadonlyArray<SessionActivity>): Effect.Effect<void, StoreUnavailable> {
    return Effect.onError(this.store.write(changed), () => Effect.sync(() => this.activity.giveBack(changed)))
  }

  /** Forgets sessions that have been gone for long. A store that fails is told of where it is written to. */
  get forgetRemoved(): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const before = (yield* Clock.currentTimeMillis) - keptFor
      yield* forEachPage(this.store, (rows) => this.forgetOf(rows, before))
    }).pipe(Effect.ignore)
  }

  private forgetOf(rows: ReadonlyArray<StoredActivity>, before: number): Effect.Effect<void, StoreUnavailable> {
    const old = rows.filter((row) => latestOf(row) < before).map(({ sessionId }) => sessionId)
    return Effect.forEach(
      Arr.chunksOf(old, lookupSize),
      (ids) =>
        Effect.gen(this, function* () {
          const present = new Set((yield* this.repo.findMany(ids)).map(({ session }) => session.id))
          const gone = ids.filter((id) => !present.has(id))
          if (gone.length > 0) yield* this.store.forget(gone, before)
          yield* nextTurn
        }),
      { discard: true },
    )
  }

  /** One line for an outage, and one where it becomes another. */
  private readonly tell = ({ problem, hint }: StoreUnavailable): Effect.Effect<void> => {
    if (this.told === problem) return Effect.void
    this.told = problem
    return Effect.logWarning(`${problem}: activity of sessions is not recorded; traffic goes on. ${hint}`)
  }

  private get tellOfReturn(): Effect.Effect<void> {
    if (this.told === undefined) return Effect.void
    this.told = undefined
    return Effect.logInfo("activity of sessions is recorded again")
  }
}

/**
 * Keeps activity in the `ActivityStore`, where one is provided and `--activity-interval` is not 0: every so often, and a last
 * time when the proxy has stopped. Does nothing otherwise. To be built before what makes traffic, so that it ends after.
 */
export const layerActivityKeeper: Layer.Layer<never, never, Traffic | SessionRepo | ProxyConfig> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { activityInterval } = yield* ProxyConfig
    const store = yield* Effect.serviceOption(ActivityStore)
    if (Option.isNone(store) || activityInterval === 0) return
    const { activity } = yield* Traffic
    const keeper = new ActivityKeeper(activity, store.value, yield* SessionRepo)
    activity.keep()
    yield* keeper.begin
    yield* Effect.addFinalizer(() => keeper.write)
    yield* Effect.forkScoped(Effect.forever(Effect.delay(keeper.write, activityInterval)))
    yield* Effect.forkScoped(Effect.repeat(keeper.forgetRemoved, Schedule.spaced(forgetInterval)))
  }),
)
