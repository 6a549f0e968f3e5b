import { Effect, ExecutionStrategy, Exit, Fiber, Scope } from "effect"
import { realpathSync, rmSync, statSync } from "node:fs"
import { StoreUnavailable } from "../domain/ProxyError.js"

/** How often a path is looked at, in milliseconds. */
const lookInterval = 1_000
/** Rest between two attempts to open what stands at a path, in milliseconds. */
const attemptInterval = 100

/** What a path names; `"unknown"` where it may not be looked at. */
type Place = FileIdentity | "nothing" | "unknown"

/** Tells files apart, whatever they are called. */
interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
  readonly size: bigint
}

const placeOf = (path: string): Place => {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    return found === undefined ? "nothing" : { device: found.dev, inode: found.ino, size: found.size }
  } catch {
    return "unknown"
  }
}

const isSame = (one: Place, other: Place): one is FileIdentity =>
  typeof one !== "string" && typeof other !== "string" && one.inode === other.inode && one.device === other.device

/** What SQLite keeps beside a database, by the database's name. */
const companions = ["-wal", "-shm"]

interface Opened<A> {
  readonly value: A
  readonly file: Place
  /** Path without links: SQLite's companions are beside it. */
  readonly realPath: string
  readonly companions: ReadonlyArray<Place>
  readonly scope: Scope.CloseableScope
}

/** What following a database takes. */
export interface Following<A> {
  /** Absolute path. */
  readonly path: string
  /** The path as the operator wrote it. */
  readonly filename: string
  /** Opens what stands at the path now. `first` at the start only: the file may then be made, later never. */
  readonly open: (first: boolean) => Effect.Effect<A, StoreUnavailable, Scope.Scope>
  /** Makes the file whole without its companions. Fails where another program is in the way. */
  readonly finish: (value: A) => Effect.Effect<void, StoreUnavailable>
}

/**
 * A database that may be replaced by another file of its name, which SQLite by itself never notices: it goes on with the
 * file that it opened. The path is looked at about once a second, when somebody asks, and what it names is opened anew
 * where that is another file. While it names nothing, the database is unavailable: it is not made again.
 */
export class FollowedFile<A> {
  private opened: Opened<A> | undefined
  private isPlaced = true
  private lookedAt = performance.now()
  private opening: Fiber.Fiber<A, StoreUnavailable> | undefined
  private failed: { readonly at: number; readonly error: StoreUnavailable } | undefined

  private constructor(
    private readonly following: Following<A>,
    private readonly scope: Scope.Scope,
  ) {}

  /** Opens the file; it is closed with the scope. */
  static open<A>(following: Following<A>): Effect.Effect<FollowedFile<A>, StoreUnavailable, Scope.Scope> {
    return Effect.gen(function* () {
      const file = new FollowedFile(following, yield* Effect.scope)
      yield* file.openPlaced(true)
      return file
    })
  }

  /** What is open, where the path is thought to name it; `undefined`: ask for `afresh`. */
  get current(): A | undefined {
    return this.isPlaced ? this.opened?.value : undefined
  }

  /** Looks whether the path still names what is open, unless that was done within a second. Microseconds. */
  look(): void {
    if (performance.now() - this.lookedAt > lookInterval) this.lookNow()
  }

  /** What the path names at this moment, opened. */
  get placed(): Effect.Effect<A, StoreUnavailable> {
    return Effect.suspend(() => {
      this.lookNow()
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

  private lookNow(): void {
    this.lookedAt = performance.now()
    const { opened } = this
    if (opened === undefined || !this.isPlaced) return
    const place = placeOf(this.following.path)
    this.isPlaced = place === "unknown" || isSame(place, opened.file)
    if (this.isPlaced) this.opened = { ...opened, companions: companionsOf(opened.realPath) }
  }

  private get reopen(): Effect.Effect<A, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const { filename, path } = this.following
      const place = placeOf(path)
      if (place === "nothing")
        return yield* new StoreUnavailable({
          problem: `${filename} is gone`,
          hint: "Put it back: it is taken within a second. `ss-proxy sessions add` and `import` make another.",
        })
      if (this.opened !== undefined) {
        if (isSame(place, this.opened.file)) {
          this.isPlaced = true
          return this.opened.value
        }
        yield* this.retire(this.opened)
      }
      return yield* this.openPlaced(false)
    }).pipe(
      Effect.tapError((error) => Effect.sync(() => (this.failed = { at: performance.now(), error }))),
      Effect.ensuring(Effect.sync(() => (this.opening = undefined))),
    )
  }

  private openPlaced(first: boolean): Effect.Effect<A, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      const value = yield* Scope.extend(this.following.open(first), scope).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
      )
      const realPath = realPathOf(this.following.path)
      const file = placeOf(realPath)
      this.opened = { value, file, realPath, companions: companionsOf(realPath), scope }
      this.isPlaced = true
      this.lookedAt = performance.now()
      return value
    })
  }

  /**
   * Closes a file that stands here no more. Its write-ahead log may still stand here: SQLite would take it for the new
   * file's own, and mix the two. So it is emptied into the old file, wherever that is now, and removed.
   */
  private retire({ value, scope, realPath, companions: left }: Opened<A>): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen(this, function* () {
      yield* this.following.finish(value)
      this.opened = undefined
      yield* Scope.close(scope, Exit.void)
      for (const [index, suffix] of companions.entries()) {
        const place = placeOf(realPath + suffix)
        if (!isSame(place, left[index] ?? "nothing")) continue
        if (suffix === "-shm" || place.size === 0n) rmSync(realPath + suffix, { force: true })
      }
    })
  }
}

const companionsOf = (realPath: string): ReadonlyArray<Place> => companions.map((suffix) => placeOf(realPath + suffix))

const realPathOf = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
