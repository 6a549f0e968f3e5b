import { Context, Deferred, Effect, Layer, type Scope } from "effect"
import { ProxyConfig } from "../../src/domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionDirectory } from "../../src/sessions/SessionDirectory.js"
import { SessionRepo, type StoreFeed } from "../../src/sessions/SessionRepo.js"

type Repo = typeof SessionRepo.Service

/** An answer that was read, and waits until the test lets it go. */
export interface HeldAnswer {
  readonly ids: ReadonlyArray<string>
  readonly release: Effect.Effect<void>
}

/**
 * A store in memory that is somewhere else, as far as a directory can tell: it answers later, tells unasked which sessions have
 * changed, and may be away. What is written has changed before it is named, and an answer says what was there when it was asked.
 */
export class TellingStore {
  /** What was asked, in order: the ids of one `find` or `findMany`. */
  readonly asked: Array<ReadonlyArray<string>> = []
  /** Answers that wait while `holds`. */
  readonly held: Array<HeldAnswer> = []
  holds = false
  /** What every read fails with. */
  fault: StoreUnavailable | undefined
  private isUp = true
  private lastHeard: number | undefined
  private version = 1
  private readonly notices: Array<ReadonlyArray<string> | undefined> = []
  private readonly listeners = new Set<() => void>()

  constructor(readonly rows: Repo) {}

  /** Tells that these sessions may have changed; that all may, without `ids`. */
  tell(ids?: ReadonlyArray<string>): void {
    this.version++
    this.notices.push(ids)
    for (const listener of this.listeners) listener()
  }

  /** It is away from now on, and was last heard of `age` milliseconds ago. */
  leave(fault: StoreUnavailable, age = 0): void {
    this.fault = fault
    this.isUp = false
    this.lastHeard = performance.now() - age
    for (const listener of this.listeners) listener()
  }

  /** It is there again, and has been told anything meanwhile. */
  comeBack(): void {
    this.fault = undefined
    this.isUp = true
    this.lastHeard = undefined
    this.tell()
  }

  private answer<A>(ids: ReadonlyArray<string>, read: Effect.Effect<A, StoreUnavailable>) {
    return Effect.suspend((): Effect.Effect<A, StoreUnavailable> => {
      this.asked.push(ids)
      if (this.fault !== undefined) return Effect.zipRight(Effect.yieldNow(), this.fault)
      if (!this.holds) return Effect.zipRight(Effect.yieldNow(), read)
      return Effect.gen(this, function* () {
        const found = yield* read
        const released = yield* Deferred.make<void>()
        this.held.push({ ids, release: Effect.asVoid(Deferred.succeed(released, undefined)) })
        yield* Deferred.await(released)
        return found
      })
    })
  }

  get repo(): Repo {
    const feed: StoreFeed = {
      changed: (tell) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => this.listeners.add(tell)),
            () => Effect.sync(() => this.listeners.delete(tell)),
          ),
        ),
      isUp: () => this.isUp,
      heardAt: () => this.lastHeard ?? performance.now(),
    }
    const { rows } = this
    return {
      ...rows,
      find: (id) => this.answer([id], rows.find(id)),
      findFolded: (id) => this.answer([id], rows.findFolded?.(id) ?? Effect.succeed([])),
      findMany: (ids) => this.answer(ids, rows.findMany(ids)),
      version: () => Effect.succeed(this.version),
      changes: (since) => {
        const notices = this.notices.slice(since - 1)
        return notices.includes(undefined) ? undefined : notices.flatMap((ids) => ids ?? [])
      },
      feed,
    }
  }
}

/** A directory over such a store. */
export const startTelling = (
  settings: Partial<ProxySettings> = {},
): Effect.Effect<
  { readonly store: TellingStore; readonly rows: Repo; readonly directory: typeof SessionDirectory.Service },
  never,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const rows = Context.get(yield* Layer.build(Layer.fresh(layerMemory())), SessionRepo)
    const store = new TellingStore(rows)
    const given = [Layer.succeed(SessionRepo, store.repo), ProxyConfig.layer(settings)] as const
    const services = yield* Layer.build(Layer.provide(Layer.fresh(SessionDirectory.layer), given))
    return { store, rows, directory: Context.get(services, SessionDirectory) }
  }).pipe(Effect.orDie)
