import { Effect, Exit, Fiber, Scope } from "effect"
import { realpathSync, rmSync } from "node:fs"
import { StoreUnavailable } from "../domain/ProxyError.js"
import { companionsOf, type FilePlace, isSameFile, placeOf } from "./FilePlace.js"

/** How often a path is looked at, in milliseconds. */
const lookInterval = 1_000
/** Rest between two attempts to open what stands at a path, in milliseconds. */
const attemptInterval = 100

interface Opened<A> {
  readonly value: A
  readonly file: FilePlace
  /** Path without links: SQLite's companions are beside it. */
  readonly realPath: string
  /** What stood at the paths of SQLite's companions when they were last looked at. */
  readonly companions: readonly [log: FilePlace, index: FilePlace]
  readonly scope: Scope.CloseableScope
}

/**
 * Where an open file is: at its path, whole; not there any more; or there, while SQLite's companions, of which the
 * write-ahead log is as much the database as the file, are not.
 */
type Standing = "whole" | "moved" | "log lost"

/** What following a database takes. */
export interface Following<A> {
  /** Absolute path. */
  readonly path: string
  /** The path as the operator wrote it. */
  readonly filename: string
  /** Opens what stands at the path now. `first` at the start only: the file may then be made, later never. */
  readonly open: (first: boolean) => Effect.Effect<A, StoreUnavailable, Scope.Scope>
  /** Makes the file whole without its companions. Fails where another program is in the way. */
  readonly checkpoint: (value: A) => Effect.Effect<void, StoreUnavailable>
  /** Whether a write-ahead log is in use, so that nobody else may have removed the companions. */
  readonly usesLog: (value: A) => boolean
  /** Sees to it that nothing of the log gets into the file when this is closed. */
  readonly discardLog: (value: A) => Effect.Effect<void>
}

/**
 * A database that may be replaced by another file of its name, or be robbed of its write-ahead log, neither of which
 * SQLite ever notices by itself: it goes on with the files that it opened. The paths are looked at once a second, and what
 * is there is opened anew where it is not what is open. While there is nothing, the database is unavailable: it is not
 * made again. The log tells when it is gone, when it is back, and when its own log was lost.
 */
export class FollowedFile<A> {
  private opened: Opened<A> | undefined
  private standing: Standing = "whole"
  private opening: Fiber.Fiber<A, StoreUnavailable> | undefined
  private failed: { readonly at: number; readonly error: StoreUnavailable } | undefined
  /** What the log has said of an outage that goes on. */
  private told: string | undefined

  private constructor(
    private readonly following: Following<A>,
    private readonly scope: Scope.Scope,
  ) {}

  /** Opens the file, and follows it until the scope is closed. */
  static open<A>(following: Following<A>): Effect.Effect<FollowedFile<A>, StoreUnavailable, Scope.Scope> {
    return Effect.gen(function* () {
      const file = new FollowedFile(following, yield* Effect.scope)
      yield* Effect.addFinalizer(() => file.release)
      yield* file.openPlaced(true)
      yield* Effect.forkScoped(file.watch)
      return file
    })
  }

  /** What is open, where it is thought to be what the path names; `undefined`: ask for `afresh`. */
  get current(): A | undefined {
    return this.standing === "whole" ? this.opened?.value : undefined
  }

  /** What the path names at this moment, opened. */
  get placed(): Effect.Effect<A, StoreUnavailable> {
    return Effect.suspend(() => {
      this.look()
      const { current } = this
      return current === undefined ? this.afresh : Effect.succeed(current)
    })
  }

  /** Opens what the path names now, once for all who wait for it. */
  get afresh(): Effect.Effect<A, StoreUnavailable> {
    return Effect.gen(this, function* () {
      if (this.current !== undefined) return this.current
      if (this.failed !== undefined && performance.now() - this.failed.at < attemptInterval)
        return yield* this.failed.error
      if (this.opening === undefined) {
        // Goes on when who asked first has left, for others wait too.
        this.opening = yield* Effect.forkIn(this.reopen, this.scope)
      }
      return yield* Fiber.join(this.opening)
    })
  }

  /** Looks every second, whether anybody asks or not: who makes the file again waits for the old one to be let go. */
  private get watch(): Effect.Effect<never> {
    return Effect.sleep(lookInterval).pipe(Effect.zipRight(Effect.ignore(this.placed)), Effect.forever)
  }

  /** Microseconds. */
  private look(): void {
    const { opened } = this
    if (opened === undefined || this.standing !== "whole") return
    this.standing = this.standingOf(opened, placeOf(this.following.path))
    if (this.standing === "whole") this.opened = { ...opened, companions: companionsOf(opened.realPath) }
  }

  private standingOf(opened: Opened<A>, place: FilePlace): Standing {
    if (place !== "unknown" && !isSameFile(place, opened.file)) return "moved"
    return this.hasLostLog(opened) ? "log lost" : "whole"
  }

  private hasLostLog({ value, realPath, companions }: Opened<A>): boolean {
    const isLost = companionsOf(realPath).some((place, index) => {
      const known = companions[index] ?? "nothing"
      return typeof known !== "string" && place !== "unknown" && !isSameFile(place, known)
    })
    // In another journal mode others may make and remove them as they like.
    return isLost && this.following.usesLog(value)
  }

  private get reopen(): Effect.Effect<A, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const { opened } = this
      const place = placeOf(this.following.path)
      const standing = opened === undefined ? "moved" : this.standingOf(opened, place)
      if (opened !== undefined && standing === "whole") {
        // It was away between two looks only.
        this.standing = standing
        return opened.value
      }
      if (opened !== undefined)
        yield* standing === "log lost" ? this.closeWithoutLog(opened) : this.closeMoved(opened, place)
      return yield* place === "nothing" ? gone(this.following.filename) : this.openPlaced(false)
    }).pipe(
      Effect.tapError((error) => {
        this.failed = { at: performance.now(), error }
        return this.tellOfOutage(error)
      }),
      Effect.zipLeft(Effect.suspend(() => this.tellOfReturn)),
      Effect.ensuring(Effect.sync(() => (this.opening = undefined))),
    )
  }

  private openPlaced(first: boolean): Effect.Effect<A, StoreUnavailable> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen(this, function* () {
        const scope = yield* Scope.make()
        const value = yield* restore(Scope.extend(this.following.open(first), scope)).pipe(
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        )
        const realPath = realPathOf(this.following.path)
        this.opened = { value, file: placeOf(realPath), realPath, companions: companionsOf(realPath), scope }
        this.standing = "whole"
        return value
      }),
    )
  }

  /** Closes for good. What stands here may have changed since the last look. */
  private get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.look()
      const { opened, standing } = this
      if (opened === undefined) return Effect.void
      if (standing !== "moved") return this.close(opened)
      return Effect.catchAll(this.closeMoved(opened, placeOf(this.following.path)), () => this.close(opened))
    })
  }

  /**
   * SQLite brings its log into the file when the last connection is closed, and removes whatever stands at the log's path.
   * That is well where nothing stands there: a log that was removed is saved, unless another program has the file open. A
   * log that stands there and is not the one in use holds newer changes, of others; and one that is, does so where the
   * other companion, its index, is lost.
   */
  private close(opened: Opened<A>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const [log] = companionsOf(opened.realPath)
      if (this.hasLostLog(opened) && log !== "nothing") yield* this.following.discardLog(opened.value)
      yield* Scope.close(opened.scope, Exit.void)
      this.opened = undefined
    })
  }

  /** Closes a file whose companions are lost. */
  private closeWithoutLog(opened: Opened<A>): Effect.Effect<void> {
    const { filename } = this.following
    const line =
      `${filename}-wal or ${filename}-shm was removed or replaced under the running proxy. The database is opened anew, ` +
      "and nothing newer was overwritten. They are a part of it: changes that only they held may be lost, " +
      "so check the sessions."
    return Effect.zipRight(this.close(opened), Effect.logError(line))
  }

  /**
   * Closes a file that stands here no more. Its write-ahead log may still stand here: SQLite would take it for the new
   * file's own, and mix the two. So it is emptied into the old file, wherever that is now, and removed. Where nothing
   * stands here, there is no hurry: it is tried again.
   */
  private closeMoved(opened: Opened<A>, place: FilePlace): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen(this, function* () {
      yield* this.following.checkpoint(opened.value)
      yield* this.close(opened)
      const [log, index] = companionsOf(opened.realPath)
      const [knownLog, knownIndex] = opened.companions
      if (isSameFile(log, knownLog) && log.size === 0n) remove(`${opened.realPath}-wal`)
      if (isSameFile(index, knownIndex)) remove(`${opened.realPath}-shm`)
    }).pipe(Effect.catchAll((error) => (place === "nothing" ? Effect.void : error)))
  }

  /** One line for an outage, however often it is met. */
  private tellOfOutage({ problem, hint }: StoreUnavailable): Effect.Effect<void> {
    if (this.told === problem) return Effect.void
    this.told = problem
    return Effect.logError(`${problem}: all requests are answered with 503. ${hint}`)
  }

  private get tellOfReturn(): Effect.Effect<void> {
    if (this.told === undefined) return Effect.void
    this.told = undefined
    return Effect.logInfo(`${this.following.filename} is back: requests are forwarded again`)
  }
}

const gone = (filename: string): StoreUnavailable =>
  new StoreUnavailable({
    problem: `${filename} is gone`,
    hint: "Put it back: it is taken within a second. `ss-proxy sessions add` and `import` make another.",
  })

const remove = (path: string): void => rmSync(path, { force: true })

const realPathOf = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
