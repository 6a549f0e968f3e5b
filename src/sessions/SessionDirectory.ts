import { Array as Arr, Cause, Context, Deferred, Effect, Exit, FiberId, Layer, Option, type Scope } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import { sliceTime } from "../clock/Slices.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { StoreUnavailable } from "../domain/ProxyError.js"
import type { LiveSession, SessionEnd } from "./LiveSession.js"
import type { Session } from "../domain/Session.js"
import type { StoredPolicy } from "../domain/SessionPolicy.js"
import type { KeyedRow, RowAnswer, RowError } from "./KnownRow.js"
import { DueRows } from "./DueRows.js"
import { LiveSessions, type ReadMoment } from "./LiveSessions.js"
import type { ServerHealth } from "./ServerHealth.js"
import type { SessionActivity } from "./SessionActivity.js"
import { foldedId } from "./FoldedId.js"
import { exactRows, foldedRows, type RowsByKey } from "./RowsByKey.js"
import { SessionRepo } from "./SessionRepo.js"
import { StoreState } from "./StoreState.js"

/** What a directory has done since it was made, and what it knows. */
export interface DirectoryNumbers {
  /** Lookups that memory answered; for which a row was read; or none was there; and for which the store could not be read. */
  readonly lookups: { readonly hit: number; readonly read: number; readonly missing: number; readonly failed: number }
  /** How often the store was found to have changed. */
  readonly refreshes: number
  /** How often the store could not be read, for lookups or otherwise. */
  readonly failures: number
  /** Sessions that are known in memory. */
  readonly entries: number
  /** Those of them whose servers fail. */
  readonly failing: number
  /** Lifetimes that have ended. */
  readonly ended: Readonly<Record<SessionEnd, number>>
  /** How long ago the store told its version, in milliseconds; Infinity where it never has. */
  readonly age: number
  /** Whether the store could be read when it was read last. */
  readonly isReadable: boolean
}

/** Why a lookup finds nothing to forward to. */
export type LookupError = RowError | StoreUnavailable

/**
 * The live view of the sessions that the data plane asks. A warm lookup is a Map get and makes no query; what anybody
 * commits to the store is in force within 10 ms.
 */
export class SessionDirectory extends Context.Tag("@ss-proxy/SessionDirectory")<
  SessionDirectory,
  {
    /**
     * The session to forward to, at the moment of this call; with the setting `idCase` `fold` by any spelling of its id. An `Exit` wherever the answer is known without waiting:
     * ask again for another answer, do not run the same effect twice.
     */
    readonly lookup: (id: string) => Effect.Effect<LiveSession, LookupError>
    /** What this process knows of the activity of a session that it has looked up; asks nobody. */
    readonly activityOf: (id: string) => SessionActivity | undefined
    /** How many of the sessions that are known in memory drain. Looks at each. */
    readonly draining: () => number
    /** How the server of a session does that was looked up; `undefined` where this process does not know it. */
    readonly healthOf: (id: string) => ServerHealth | undefined
    /** What a session that was looked up wants otherwise than the settings say, as it is stored; asks nobody. */
    readonly policyOf: (id: string) => StoredPolicy | undefined
    /** The row that requests for a session go by while the store is away; `undefined` where they could not. Asks nobody. */
    readonly rowOf: (id: string) => Session | undefined
    /** The ids of sessions that are known in memory, while they are: some come and go as one goes through them. */
    readonly known: () => Iterable<string>
    /** What there is to tell of it now. */
    readonly numbers: () => DirectoryNumbers
  }
>() {
  /** Every lifetime that this directory began ends with the layer. */
  static readonly layer: Layer.Layer<SessionDirectory, never, ProxyConfig | SessionRepo> = Layer.scoped(
    SessionDirectory,
    Effect.suspend(() => make),
  )
}

// How long the store's version counts as known, in milliseconds: a third of what the contract allows a change to take,
// which leaves the rest to the event loop.
const versionAge = 3
// How often the version is looked at for the sake of live traffic alone, or of a store that could not be read, in
// milliseconds. Such traffic must be gone one second after its session; most of that belongs to saying goodbye.
const watchInterval = 100
// No session has this id: whether its row can be looked for tells whether any can.
const nobody = ""
// Rows that are read again in one turn of the event loop by a store that answers at once: well under a millisecond of work. With
// 200, the longest turn after a kill took 6 ms in place of 4 (`npm run soak:kill`).
const sliceSize = 40
// Behind each such slice, in milliseconds, so that requests meet few of them, and not one in each turn that they take: p99 of others
// after a kill. Where that would be more than this for all slices, there is no rest: live traffic ends within a second of its session.
const sliceRest = 2
const longestRests = 200
// The part of the time that may go into reading rows again while changes never stop, and the longest rest for it.
const restFactor = 3
const longestRest = 500
// A few hundred bytes each.
const unwatchedLimit = 50_000

/** Whether the answer is there already. */
const isSettled = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

type Version = ReturnType<typeof SessionRepo.Service.version>
type Find = ReturnType<RowsByKey["find"]>

/** A read under way. */
class Reading implements ReadMoment {
  outdatedIn = 0
  readonly answer = Deferred.unsafeMake<LiveSession, LookupError>(FiberId.none)

  constructor(readonly epoch: number) {}
}

const make: Effect.Effect<typeof SessionDirectory.Service, never, ProxyConfig | SessionRepo | Scope.Scope> = Effect.gen(
  function* () {
    const { idCase, maxStale } = yield* ProxyConfig
    const repo = yield* SessionRepo
    const rows = idCase === "fold" ? yield* foldedRows(repo) : exactRows(repo)
    const state = new StoreState(repo.feed, maxStale === 0 ? Number.POSITIVE_INFINITY : maxStale)
    const directory = new Directory(repo, rows, state, yield* Effect.scope)
    yield* Effect.addFinalizer(() => Effect.sync(() => directory.sessions.shutdown()))
    if (repo.feed !== undefined) yield* repo.feed.changed(directory.heard)
    yield* Effect.forkScoped(directory.watch)
    const { lookup, numbers, sessions } = directory
    return {
      lookup: idCase === "fold" ? (id) => lookup(foldedId(id)) : lookup,
      numbers,
      activityOf: (id) => sessions.activityOf(id),
      healthOf: (id) => sessions.healthOf(id),
      policyOf: (id) => sessions.policyOf(id),
      rowOf: (id) => sessions.standingRow(id),
      draining: () => sessions.draining,
      known: () => sessions.ids(),
    }
  },
)

/**
 * Lookups are plain calls on the path of every request, without a fiber. The watching fiber waits for latches, which such
 * calls open and close by their "unsafe" methods: these do the same, and are no Effects.
 */
class Directory {
  /** Open while there is something to look after: live traffic, or a store that could not be read. */
  private readonly awake = Effect.unsafeMakeLatch(false)
  /** Open from a change that was noticed until the watching fiber has seen it. */
  private readonly changed = Effect.unsafeMakeLatch(false)
  readonly sessions: LiveSessions
  /** Grows whenever the store may hold something else than was read before: anything, or what the store names. */
  private epoch = 0
  private version: number | undefined
  private versionTakenAt = Number.NEGATIVE_INFINITY
  /** Rows of watched lifetimes that may be others than they were. */
  private readonly due = new DueRows()
  /** The store could not be read when it was last swept. */
  private isFailing = false
  /** And that for longer than it may. */
  private wasStale = false
  private hits = 0
  private rowsRead = 0
  private rowsMissing = 0
  private lookupsFailed = 0
  private refreshes = 0
  /** Reads under way, of a store that does not answer at once. */
  private readonly readings = new Map<string, Reading>()

  constructor(
    private readonly repo: typeof SessionRepo.Service,
    private readonly rows: RowsByKey,
    private readonly state: StoreState,
    private readonly scope: Scope.Scope,
  ) {
    const watcher = {
      watched: (key: string, isCurrent: boolean) => {
        if (!isCurrent) this.due.add(key)
        this.awake.unsafeOpen()
      },
      noneWatched: () => this.mayRest(),
    }
    this.sessions = new LiveSessions(unwatchedLimit, watcher, rows.keyOf)
  }

  /** The session that is known by this key. */
  readonly lookup = (key: string): Effect.Effect<LiveSession, LookupError> => {
    const now = performance.now()
    if (now - this.versionTakenAt > versionAge) {
      const version = this.repo.version()
      if (!isSettled(version)) return this.lookupAfter(version, now, key)
      this.noteVersion(version, now)
    }
    return this.known(key) ?? this.read(key)
  }

  readonly numbers = (): DirectoryNumbers => ({
    lookups: { hit: this.hits, read: this.rowsRead, missing: this.rowsMissing, failed: this.lookupsFailed },
    refreshes: this.refreshes,
    failures: this.state.failures,
    entries: this.sessions.size,
    failing: this.sessions.failing.size,
    ended: this.sessions.ended,
    age: this.state.age(performance.now()),
    isReadable: this.state.isReadable,
  })

  /** The store tells that something is otherwise. */
  readonly heard = (): void => {
    this.state.heard()
    const version = this.repo.version()
    if (isSettled(version)) this.noteVersion(version, performance.now())
    this.mayRest()
  }

  private known(key: string): RowAnswer | undefined {
    const answer = this.sessions.current(key)
    if (answer !== undefined) this.hits++
    return answer
  }

  /** For a store that does not tell its version at once. */
  private lookupAfter(version: Version, askedAt: number, key: string): Effect.Effect<LiveSession, LookupError> {
    return Effect.flatMap(Effect.exit(version), (found) => {
      this.noteVersion(found, askedAt)
      return this.known(key) ?? this.read(key)
    })
  }

  /**
   * A version that cannot be told counts as a new one: then each row has to be read, and that says what is wrong. So does any
   * of a store that has been away for too long.
   */
  private noteVersion(found: Exit.Exit<number, StoreUnavailable>, askedAt: number): void {
    this.versionTakenAt = askedAt
    const version = Exit.isSuccess(found) ? found.value : undefined
    // That it can be told says nothing of the rows.
    if (version === undefined) this.noteReading(found)
    else this.state.told(askedAt)
    const before = this.version
    const isStale = this.state.isStale(askedAt)
    if (version !== undefined && version === before && !isStale) return
    // The first look finds no change, and what cannot be told is none.
    if (version !== undefined && version !== before && this.epoch > 0) this.refreshes++
    this.version = version
    this.epoch++
    const knowsBoth = version !== undefined && before !== undefined && !isStale
    this.outdate(knowsBoth ? this.repo.changes?.(before) : undefined)
    if (!this.due.isEmpty && this.sessions.anyWatched) this.changed.unsafeOpen()
  }

  /** What is known of these sessions may be otherwise now; of all without `ids`. */
  private outdate(ids: ReadonlyArray<string> | undefined): void {
    if (ids === undefined) {
      this.sessions.outdateAll(this.epoch)
      return this.due.addAll()
    }
    for (const id of ids) {
      const key = this.rows.keyOf(id)
      const reading = this.readings.get(key)
      if (reading !== undefined) reading.outdatedIn = this.epoch
      this.outdateOne(key, this.epoch)
    }
  }

  private outdateOne(key: string, epoch: number): void {
    if (this.sessions.outdate(key, epoch)) this.due.add(key)
  }

  private read(key: string): Effect.Effect<LiveSession, LookupError> {
    if (!this.state.canRead) {
      const standing = this.standing(key)
      if (standing !== undefined) return standing
    }
    if (this.readings.has(key)) return this.readLater(key)
    const found = this.rows.find(key, this.sessions)
    return isSettled(found) ? this.settle(key, found, this.epoch) : this.readLater(key, found)
  }

  /** What is known of a session while its store is away; tried again by the watching fiber. */
  private standing(key: string): RowAnswer | undefined {
    if (!this.state.maybeAway || this.state.isStale(performance.now())) return undefined
    const answer = this.sessions.lastKnown(key)
    if (answer !== undefined) this.hits++
    return answer
  }

  private settle(
    key: string,
    found: Exit.Exit<Option.Option<KeyedRow>, StoreUnavailable>,
    readIn: number,
  ): Exit.Exit<LiveSession, LookupError> {
    this.noteReading(found)
    if (Exit.isFailure(found)) {
      const standing = isLate(found) ? undefined : this.standing(key)
      if (standing !== undefined) return standing
      this.lookupsFailed++
      return Exit.failCause(found.cause)
    }
    if (Option.isSome(found.value)) this.rowsRead++
    else this.rowsMissing++
    return this.sessions.update(key, found.value, readIn)
  }

  /** What came of reading rows, or of a version that could not be told. */
  private noteReading(found: Exit.Exit<unknown, StoreUnavailable>): void {
    if (Exit.isSuccess(found)) {
      this.state.succeeded()
      return this.mayRest()
    }
    if (isLate(found)) return
    this.state.failed()
    this.awake.unsafeOpen()
  }

  /** Nothing is looked after while there is nothing to look after. */
  private mayRest(): void {
    if (this.state.canRead && !this.sessions.anyWatched) this.awake.unsafeClose()
  }

  /**
   * For a store that answers later. A row is read once at a time, so that no read overtakes another and brings back an
   * older row. A reading goes on when who asked first has left, for others may wait for it. Whoever finds one under way
   * takes its answer only where nothing has changed since it began; the answer of one that begins later always.
   */
  private readLater(
    key: string,
    find: Find = Effect.suspend(() => this.rows.find(key, this.sessions)),
  ): Effect.Effect<LiveSession, LookupError> {
    return Effect.gen(this, function* () {
      const underWay = this.readings.get(key)
      if (underWay !== undefined) {
        const answer = yield* Effect.exit(Deferred.await(underWay.answer))
        if (this.sessions.isCurrent(underWay)) return yield* answer
        const known = this.known(key)
        if (known !== undefined) return yield* known
      }
      const next = this.readings.get(key)
      if (next !== undefined) return yield* Deferred.await(next.answer)
      const reading = new Reading(this.epoch)
      this.readings.set(key, reading)
      // It ends as this says, even where the scope is closed already: others wait for it.
      yield* Effect.uninterruptible(Effect.forkIn(this.finish(key, reading, find), this.scope))
      return yield* Deferred.await(reading.answer)
    })
  }

  private finish(key: string, reading: Reading, find: Find): Effect.Effect<void> {
    return Effect.flatMap(Effect.exit(Effect.interruptible(find)), (found) => {
      this.readings.delete(key)
      const answer = this.settle(key, found, reading.epoch)
      // What it has read may be older than what was named meanwhile.
      if (reading.outdatedIn > reading.epoch) this.outdateOne(key, reading.outdatedIn)
      return Deferred.done(reading.answer, answer)
    })
  }

  /**
   * Looks after live traffic while no request comes, and after a store that could not be read: whoever sends no requests to
   * a proxy that is not ready would wait for ever. Asleep as long as there is neither. Never ends.
   */
  get watch(): Effect.Effect<never> {
    return Effect.gen(this, function* () {
      yield* this.awake.await
      yield* Effect.timeoutOption(this.changed.await, watchInterval)
      const now = performance.now()
      this.sessions.endDrained(now)
      this.noteVersion(yield* Effect.exit(this.repo.version()), now)
      this.changed.unsafeClose()
      if (!this.due.isEmpty) yield* this.sweep
      if (!this.state.canRead && this.version !== undefined)
        this.noteReading(yield* Effect.exit(this.repo.findMany([nobody])))
    }).pipe(
      Effect.catchAllCause((cause) => this.warn(cause)),
      Effect.forever,
    )
  }

  /** Reads the rows of watched lifetimes again, slice by slice: other work of the event loop comes between. */
  private get sweep(): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen(this, function* () {
      let worked = 0
      const areAllDue = this.due.areAll
      const slices = Arr.chunksOf(this.due.take(this.sessions), this.repo.batchSize ?? sliceSize)
      const hasRests = slices.length > 1 && slices.length * sliceRest <= longestRests
      const rest = hasRests ? Effect.sleep(sliceRest) : nextTurn
      for (const keys of slices) {
        const startedAt = performance.now()
        const readIn = this.epoch
        const found = yield* Effect.exit(this.rows.findMany(keys, this.sessions))
        this.noteReading(found)
        const rowOf = yield* found
        yield* inSlices(keys, (key) => this.sessions.refresh(key, Option.fromNullable(rowOf.get(key)), readIn))
        worked += performance.now() - startedAt
        yield* rest
      }
      this.isFailing = false
      // Rows that are named are few. The next one to be named may be of a kill, which must not wait.
      if (areAllDue) yield* Effect.sleep(Math.min(restFactor * worked, longestRest))
    })
  }

  /** One line for an outage, however long it is; then a while until the next try. */
  private warn(cause: Cause.Cause<StoreUnavailable>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      this.due.addAll()
      const isStale = this.state.isStale(performance.now())
      if (isStale) yield* inSlices(this.sessions.outdated(), (key) => this.sessions.endStale(key))
      else if (!this.isFailing) yield* Effect.logWarning(`live traffic goes on unchecked: ${describe(cause)}`)
      if (isStale && !this.wasStale)
        yield* Effect.logWarning(`live traffic is closed because its sessions cannot be checked: ${describe(cause)}`)
      this.wasStale = isStale
      this.isFailing = true
      yield* Effect.sleep(watchInterval)
    })
  }
}

/** Does this for each, in turns of the event loop that others need not wait for. */
const inSlices = (keys: ReadonlyArray<string>, each: (key: string) => void): Effect.Effect<void> =>
  Effect.gen(function* () {
    let sliceEnd = performance.now() + sliceTime
    for (const key of keys) {
      each(key)
      if (performance.now() < sliceEnd) continue
      yield* nextTurn
      sliceEnd = performance.now() + sliceTime
    }
  })

/** That one question was not answered in time says nothing of whether the store is there. */
const isLate = (found: Exit.Exit<unknown, StoreUnavailable>): boolean =>
  Exit.isFailure(found) && Cause.isFailType(found.cause) && found.cause.error.isLate === true

const describe = (cause: Cause.Cause<StoreUnavailable>): string => {
  const error = Cause.squash(cause)
  return error instanceof StoreUnavailable ? `${error.problem}. ${error.hint}` : Cause.pretty(cause)
}
