import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, type Scope, TestClock } from "effect"
import { ProxyConfig, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { ActivityStore } from "../../src/sessions/ActivityStore.js"
import { layerMemory as layerMemoryActivity } from "../../src/sessions/MemoryActivityStore.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { neverActive, type StoredActivity } from "../../src/sessions/SessionActivity.js"
import { layerActivityKeeper } from "../../src/traffic/ActivityKeeper.js"
import { Traffic } from "../../src/traffic/Traffic.js"
import { LoneTraffic, loneSession } from "./LoneTraffic.js"

interface Keeping {
  readonly settings?: Partial<ProxySettings>
  readonly store?: typeof ActivityStore.Service
}

const sessions = layerMemory([{ id: "present", url: "http://h", status: "active" }])

/** A keeper over a store, and the log. */
const keep = ({ settings = {}, store }: Keeping) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const log = Logger.make(({ message, logLevel }) => lines.push(`${logLevel.label} ${String(message)}`))
    const services = yield* Layer.build(
      Layer.provideMerge(layerActivityKeeper, Traffic.layer).pipe(
        Layer.provide([
          ProxyConfig.layer(settings),
          sessions,
          store === undefined ? Layer.empty : Layer.succeed(ActivityStore, store),
          Logger.replace(Logger.defaultLogger, log),
        ]),
      ),
    )
    const { activity } = Context.get(services, Traffic)
    return {
      lines,
      activity,
      /** A session is active. */
      use: (id: string) =>
        Effect.sync(() => {
          const request = new LoneTraffic(loneSession(id), "http")
          request.isServed = true
          activity.ended(request)
        }),
    }
  })

const memory: Effect.Effect<typeof ActivityStore.Service, never, Scope.Scope> = Effect.map(
  Layer.build(Layer.fresh(layerMemoryActivity)),
  Context.get(ActivityStore),
)

const idsOf = (rows: ReadonlyArray<StoredActivity>) => rows.map(({ sessionId }) => sessionId)

/** Lets what waits for the next turn have it. */
const turns = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 20)))

const later = (milliseconds: number) => Effect.zipRight(TestClock.adjust(milliseconds), turns)

describe("what is known of activity", () => {
  it.scoped("is stored every --activity-interval, and nothing where nothing has changed", () =>
    Effect.gen(function* () {
      const inner = yield* memory
      const written: Array<ReadonlyArray<string>> = []
      const store = {
        ...inner,
        write: (rows: ReadonlyArray<StoredActivity>) =>
          Effect.zipRight(
            Effect.sync(() => written.push(idsOf(rows))),
            inner.write(rows),
          ),
      }
      const { use } = yield* keep({ store, settings: { activityInterval: 5_000 } })
      yield* use("a")
      yield* later(4_000)
      expect(written).toEqual([[]])
      yield* later(1_000)
      yield* later(60_000)
      yield* use("b")
      yield* use("a")
      yield* later(5_000)
      expect(written).toEqual([[], ["a"], ["b", "a"]])
    }),
  )

  it.scoped("is stored a last time when the proxy stops", () =>
    Effect.gen(function* () {
      const store = yield* memory
      yield* Effect.scoped(Effect.flatMap(keep({ store }), ({ use }) => use("a")))
      expect(idsOf(yield* store.page(""))).toEqual(["a"])
    }),
  )

  it.scoped("is not even remembered where the interval is 0, or there is no store", () =>
    Effect.gen(function* () {
      const store = yield* memory
      for (const keeping of [{ store, settings: { activityInterval: 0 } }, {}]) {
        const { activity, use } = yield* keep(keeping)
        yield* use("a")
        yield* later(3_600_000)
        expect(activity.takeChanged(10)).toEqual([])
      }
      expect(yield* store.page("")).toEqual([])
    }),
  )

  it.scoped("waits where it cannot be stored, with one line about each trouble, and one when it is over", () =>
    Effect.gen(function* () {
      const inner = yield* memory
      let problem: string | undefined = "locked"
      const store = {
        ...inner,
        write: (rows: ReadonlyArray<StoredActivity>) =>
          Effect.suspend(() =>
            problem === undefined ? inner.write(rows) : new StoreUnavailable({ problem, hint: "Help." }),
          ),
      }
      const { lines, use } = yield* keep({ store, settings: { activityInterval: 1_000 } })
      for (const id of ["a", "b", "c"]) yield* Effect.zipRight(use(id), later(1_000))
      problem = "full"
      for (const id of ["d", "e"]) yield* Effect.zipRight(use(id), later(1_000))
      problem = undefined
      yield* later(1_000)
      expect(idsOf(yield* inner.page(""))).toEqual(["a", "b", "c", "d", "e"])
      const trouble = (what: string) => `WARN ${what}: activity of sessions is not recorded; traffic goes on. Help.`
      expect(lines).toEqual([trouble("locked"), trouble("full"), "INFO activity of sessions is recorded again"])
    }),
  )

  it.scoped("is not lost where the proxy stops in the middle of storing it", () =>
    Effect.gen(function* () {
      const inner = yield* memory
      let calls = 0
      const store = {
        ...inner,
        // The first is of the beginning, the second hangs.
        write: (rows: ReadonlyArray<StoredActivity>) =>
          Effect.suspend(() => (++calls === 2 ? Effect.never : inner.write(rows))),
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { use } = yield* keep({ store, settings: { activityInterval: 1_000 } })
          yield* use("a")
          yield* later(1_000)
          expect(calls).toBe(2)
        }),
      )
      expect(idsOf(yield* inner.page(""))).toEqual(["a"])
    }),
  )

  it.scoped("of sessions that are gone goes 7 days after its last sign", () =>
    Effect.gen(function* () {
      const store = yield* memory
      const day = 86_400_000
      const row = (sessionId: string, lastRequestAt: number) => ({ ...neverActive, sessionId, lastRequestAt })
      yield* store.write([row("gone", day), row("gone-later", 2 * day), row("present", day)])
      yield* TestClock.adjust(8 * day - 1_000)
      yield* keep({ store, settings: { activityInterval: day } })
      yield* turns
      expect(idsOf(yield* store.page(""))).toEqual(["gone", "gone-later", "present"])
      yield* later(3_600_000)
      expect(idsOf(yield* store.page(""))).toEqual(["gone-later", "present"])
      yield* later(day)
      expect(idsOf(yield* store.page(""))).toEqual(["present"])
    }),
  )
})
