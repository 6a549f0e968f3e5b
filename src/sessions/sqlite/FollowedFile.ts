import { Effect, Exit, Fiber, Scope } from "effect"
import { realpathSync, rmSync } from "node:fs"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { companionsOf, type FilePlace, isSameFile, placeOf } from "../FilePlace.js"

/** Interval of checking the path, in milliseconds. */
const checkInterval = 1_000
/** Least time between two attempts to open the file, in milliseconds. */
const attemptInterval = 100

interface Opened<A> {
  readonly value: A
  readonly file: FilePlace
  /** Path without links. SQLite's companions are beside it. */
  readonly realPath: string
  /** The companions at the last check. */
  readonly companions: readonly [log: FilePlace, index: FilePlace]
  readonly scope: Scope.CloseableScope
}

/**
 * The state of an open file. `whole`: it is at its path. `moved`: the path names another file or none. `wal lost`: it
 * is at its path, but a companion was removed or replaced. The WAL is as much a part of the database as the file.
 */
type Standing = "whole" | "moved" | "wal lost"

/** How to open, check and close the database that is followed. */
export interface Following<A> {
  /** Absolute path. */
  readonly path: string
  /** The path as the operator wrote it. */
  readonly filename: string
  /** Opens the file that is at the path now. `first`: only then may the file be made. */
  readonly open: (first: boolean) => Effect.Effect<A, StoreUnavailable, Scope.Scope>
  /** Checkpoints the whole WAL into the file. Fails if another program prevents it. */
  readonly checkpoint: (value: A) => Effect.Effect<void, StoreUnavailable>
  /** Whether a WAL is in use. Only then must the companions stay the same while the file is open. */
  readonly usesWal: (value: A) => boolean
  /** Makes sure that closing does not checkpoint the WAL into the file. */
  readonly discardWal: (value: A) => Effect.Effect<void>
}

/**
 * A database that other programs may replace by another file of the same name, or whose WAL they may remove. SQLite
 * notices neither: it continues with the files that it opened. So the paths are checked once a second, and if they name
 * other files than the open ones, those are opened. A database whose path names nothing is unavailable; it is not made
 * again. The log reports when the database is gone, when it is back, and when its WAL was lost.
 */
export class FollowedFile<A> {
  private opened: Opened<A> | undefined
  private standing: Standing = "whole"
  private opening: Fiber.Fiber<A, StoreUnavailable> | undefined
  private failed: { readonly at: number; readonly error: StoreUnavailable } | undefined
  /** The problem that was logged for the present outage; `undefined` outside of an outage. */
  private loggedProblem: string | undefined

  private constructor(
    private readonly following: Following<A>,
    private readonly scope: Scope.Scope,
  ) {}

  /** Opens the file, and follows it until the scope closes. */
  static open<A>(following: Following<A>): Effect.Effect<FollowedFile<A>, StoreUnavailable, Scope.Scope> {
    return Effect.gen(function* () {
      const file = new FollowedFile(following, yield* Effect.scope)
      yield* Effect.addFinalizer(() => file.release)
      yield* file.openAtPath(true)
      yield* Effect.forkScoped(file.watch)
      return file
    })
  }

  /** The open database, if it was whole at the last check; `undefined`: use `reopened`. */
  get current(): A | undefined {
    return this.standing === "whole" ? this.opened?.value : undefined
  }

  /** The open database after a check of the path, reopened if needed. */
  get upToDate(): Effect.Effect<A, StoreUnavailable> {
    return Effect.suspend(() => {
      this.check()
      const { current } = this
      return current === undefined ? this.reopened : Effect.succeed(current)
    })
  }

  /** Opens the file that the path names now. Concurrent callers share one attempt. */
  get reopened(): Effect.Effect<A, StoreUnavailable> {
    return Effect.gen(this, function* () {
      if (this.current !== undefined) return this.current
      if (this.failed !== undefined && performance.now() - this.failed.at < attemptInterval)
        return yield* this.failed.error
      if (this.opening === undefined) {
        // Forked in our own scope: an interruption of the first caller must not end it, because others may wait for it.
        this.opening = yield* Effect.forkIn(this.reopen, this.scope)
      }
      return yield* Fiber.join(this.opening)
    })
  }

  /**
   * Checks every second, even without traffic, because a program that makes the file again waits until we close the old
   * one.
   */
  private get watch(): Effect.Effect<never> {
    return Effect.sleep(checkInterval).pipe(Effect.zipRight(Effect.ignore(this.upToDate)), Effect.forever)
  }

  /** Compares the paths with the open files. Takes microseconds. */
  private check(): void {
    const { opened } = this
    if (opened === undefined || this.standing !== "whole") return
    this.standing = this.standingOf(opened, placeOf(this.following.path))
    if (this.standing === "whole") this.opened = { ...opened, companions: companionsOf(opened.realPath) }
  }

  private standingOf(opened: Opened<A>, place: FilePlace): Standing {
    if (place !== "unknown" && !isSameFile(place, opened.file)) return "moved"
    return this.hasLostWal(opened) ? "wal lost" : "whole"
  }

  private hasLostWal({ value, realPath, companions }: Opened<A>): boolean {
    const isLost = companionsOf(realPath).some((place, index) => {
      const known = companions[index] ?? "nothing"
      return typeof known !== "string" && place !== "unknown" && !isSameFile(place, known)
    })
    // In another journal mode other programs may make and remove them.
    return isLost && this.following.usesWal(value)
  }

  private get reopen(): Effect.Effect<A, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const { opened } = this
      const place = placeOf(this.following.path)
      const standing = opened === undefined ? "moved" : this.standingOf(opened, place)
      if (opened !== undefined && standing === "whole") {
        // The file was only absent for a moment.
        this.standing = standing
        return opened.value
      }
      if (opened !== undefined)
        yield* standing === "wal lost" ? this.closeWithoutWal(opened) : this.closeMoved(opened, place)
      return yield* place === "nothing" ? gone(this.following.filename) : this.openAtPath(false)
    }).pipe(
      Effect.tapError((error) => {
        this.failed = { at: performance.now(), error }
        return this.logOutage(error)
      }),
      Effect.zipLeft(Effect.suspend(() => this.logReturn)),
      Effect.ensuring(Effect.sync(() => (this.opening = undefined))),
    )
  }

  private openAtPath(first: boolean): Effect.Effect<A, StoreUnavailable> {
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

  /** Closes for good, after a check, because the file may have been replaced since the last one. */
  private get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.check()
      const { opened, standing } = this
      if (opened === undefined) return Effect.void
      if (standing !== "moved") return this.close(opened)
      return Effect.catchAll(this.closeMoved(opened, placeOf(this.following.path)), () => this.close(opened))
    })
  }

  /**
   * Closes the database. When the last connection closes, SQLite checkpoints its WAL into the file and removes any file
   * at the WAL's path. If the WAL was removed, that is right: its changes get into the file, unless another program has
   * the file open. But a WAL at the path may hold newer changes of other programs, so ours is discarded. That is so if
   * the WAL was replaced, and also if only its index was lost.
   */
  private close(opened: Opened<A>): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      const [log] = companionsOf(opened.realPath)
      if (this.hasLostWal(opened) && log !== "nothing") yield* this.following.discardWal(opened.value)
      yield* Scope.close(opened.scope, Exit.void)
      this.opened = undefined
    })
  }

  /** Closes a file whose companions were removed or replaced. */
  private closeWithoutWal(opened: Opened<A>): Effect.Effect<void> {
    const { filename } = this.following
    const line =
      `${filename}-wal or ${filename}-shm was removed or replaced under the running proxy. The database is opened anew, ` +
      "and nothing newer was overwritten. They are a part of it: changes that only they held may be lost, " +
      "so check the sessions."
    return Effect.zipRight(this.close(opened), Effect.logError(line))
  }

  /**
   * Closes a file that is not at its path any more. Its WAL may still be there, and SQLite would use it with the new
   * file. So it is checkpointed into the old file, wherever that is now, and removed. If the checkpoint fails while the
   * path names nothing, it is tried again later.
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

  /** Logs an outage once. */
  private logOutage({ problem, hint }: StoreUnavailable): Effect.Effect<void> {
    if (this.loggedProblem === problem) return Effect.void
    this.loggedProblem = problem
    return Effect.logError(`${problem}: all requests are answered with 503. ${hint}`)
  }

  private get logReturn(): Effect.Effect<void> {
    if (this.loggedProblem === undefined) return Effect.void
    this.loggedProblem = undefined
    return Effect.logInfo(`${this.following.filename} is back: requests are forwarded again`)
  }
}

const gone = (filename: string): StoreUnavailable =>
  new StoreUnavailable({
    problem: `${filename} is gone`,
    hint: "Put it back: it is used again within a second. `ss-proxy sessions add` and `import` create another.",
  })

const remove = (path: string): void => rmSync(path, { force: true })

const realPathOf = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
