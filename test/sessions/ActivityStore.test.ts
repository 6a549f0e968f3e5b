import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import { ActivityStore, forEachPage, pageSize } from "../../src/sessions/ActivityStore.js"
import { layerMemory } from "../../src/sessions/MemoryActivityStore.js"
import { neverActive, type StoredActivity } from "../../src/sessions/SessionActivity.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteActivityStore.js"
import { isLeftOut } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { layerNewPostgresActivity } from "../support/SharedPostgres.js"
import { temporaryFolder } from "./temporary.js"

const layers: Record<string, Layer.Layer<ActivityStore>> = {
  memory: layerMemory,
  sqlite: Layer.unwrapScoped(
    Effect.map(temporaryFolder, (folder) => layerSqlite({ sessions: join(folder, "sessions.db") })),
  ),
  ...(isLeftOut(lackingPostgres) ? {} : { postgres: layerNewPostgresActivity }),
}

const of = (sessionId: string, times: Partial<StoredActivity>): StoredActivity => ({
  ...neverActive,
  ...times,
  sessionId,
})

const allOf = (store: typeof ActivityStore.Service) =>
  Effect.gen(function* () {
    const all: Array<StoredActivity> = []
    yield* forEachPage(store, (rows) => Effect.sync(() => all.push(...rows)))
    return all
  })

describe.each(Object.entries(layers))("a store of activity (%s)", (_name, layer) => {
  const scenario = (name: string, test: Effect.Effect<unknown, unknown, ActivityStore>) =>
    it.live(name, () => Effect.provide(test, Layer.fresh(layer)))

  scenario(
    "knows nothing at first",
    Effect.gen(function* () {
      const store = yield* ActivityStore
      yield* store.write([])
      expect(yield* store.find(["a"])).toEqual([])
      expect(yield* store.page("")).toEqual([])
    }),
  )

  scenario(
    "gives back what was written, and of a time that never was, that",
    Effect.gen(function* () {
      const store = yield* ActivityStore
      const rows = [
        of("a", { lastRequestAt: 1_000, lastClientAt: 2_000, lastServerAt: 3_000, lastKind: "request" }),
        of("b", { lastClientAt: 5, lastKind: "touch" }),
      ]
      yield* store.write(rows)
      expect(yield* store.find(["b", "a", "none"])).toEqual([rows[1], rows[0]])
      expect(yield* allOf(store)).toEqual(rows)
    }),
  )

  scenario(
    "keeps the later one of each time, whoever writes last, and the kind of the latest",
    Effect.gen(function* () {
      const store = yield* ActivityStore
      yield* store.write([of("a", { lastRequestAt: 10, lastClientAt: 20, lastKind: "request" })])
      yield* store.write([of("a", { lastRequestAt: 5, lastClientAt: 15, lastServerAt: 7, lastKind: "websocket" })])
      const kept = of("a", { lastRequestAt: 10, lastClientAt: 20, lastServerAt: 7, lastKind: "request" })
      expect(yield* store.find(["a"])).toEqual([kept])
      yield* store.write([of("a", { lastServerAt: 30, lastKind: "websocket" })])
      expect(yield* store.find(["a"])).toEqual([{ ...kept, lastServerAt: 30, lastKind: "websocket" }])
    }),
  )

  scenario(
    "lets a time give way that is of a clock more than a day ahead, and no other",
    Effect.gen(function* () {
      const store = yield* ActivityStore
      const now = Date.now()
      const [soon, far] = [now + 3_600_000, now + 2 * 86_400_000]
      yield* store.write([
        of("a", { lastRequestAt: far, lastClientAt: soon, lastServerAt: 1, lastKind: "touch" }),
        of("b", { lastRequestAt: soon, lastKind: "touch" }),
      ])
      const given = { lastRequestAt: now, lastClientAt: now, lastServerAt: now, lastKind: "request" } as const
      yield* store.write([of("a", given), of("b", given)])
      expect(yield* store.find(["a", "b"])).toEqual([
        of("a", { ...given, lastClientAt: soon }),
        of("b", { ...given, lastRequestAt: soon, lastKind: "touch" }),
      ])
      yield* store.write([of("c", { lastServerAt: far, lastKind: "touch" })])
      yield* store.write([of("c", { lastRequestAt: now, lastKind: "request" })])
      expect(yield* store.find(["c"])).toEqual([of("c", { lastRequestAt: now, lastKind: "request" })])
    }),
  )

  scenario(
    "comes in pages, in the order of the bytes of ids",
    Effect.gen(function* () {
      const store = yield* ActivityStore
      const ids = Array.from({ length: pageSize + 2 }, (_, index) => `s-${String(index).padStart(5, "0")}`)
      const odd = ["\u{1F600}", "\uFF5E", "Z", "é", "'; DROP TABLE session_activity; --"]
      yield* store.write([...ids, ...odd].map((id, index) => of(id, { lastRequestAt: index + 1 })))
      expect(yield* store.page("")).toHaveLength(pageSize)
      const sorted = [...ids, ...odd].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
      expect((yield* allOf(store)).map(({ sessionId }) => sessionId)).toEqual(sorted)
    }),
  )

  scenario(
    "forgets those it is told to, unless they were active since",
    Effect.gen(function* () {
      const store = yield* ActivityStore
      yield* store.write([
        of("old", { lastRequestAt: 99 }),
        of("new", { lastRequestAt: 1, lastServerAt: 100 }),
        of("kept", { lastRequestAt: 1 }),
      ])
      yield* store.forget(["old", "new", "none"], 100)
      expect((yield* allOf(store)).map(({ sessionId }) => sessionId)).toEqual(["kept", "new"])
    }),
  )
})
