import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionDiffer } from "../../src/sessions/SessionDiffer.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"

const session = (id: string) => ({ id, url: "http://127.0.0.1:9", status: "active" })

describe("what has changed among sessions", () => {
  it.effect("is nothing at first, then each session that was stored, changed or removed, by whomever", () =>
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const differ = new SessionDiffer(repo)
      assert.strictEqual((yield* differ.look)._tag, "Nothing")
      yield* repo.put(session("a"))
      yield* repo.set("b", { status: "paused" })
      yield* repo.kill("c")
      yield* repo.remove("d")
      const found = yield* differ.look
      assert.deepStrictEqual(found._tag === "Changes" && [found.put.map(({ id }) => id), found.removed], [
        ["a", "b", "c"],
        ["d"],
      ])
      assert.strictEqual((yield* differ.look)._tag, "Nothing")
    }).pipe(Effect.provide(layerMemory([session("b"), session("c"), session("d")]))),
  )

  it.effect("is not known after the store could not be read: all is to be listed again", () =>
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      const state = { isGone: false }
      const gone = new StoreUnavailable({ problem: "it is gone", hint: "" })
      const version = () => (state.isGone ? Effect.fail(gone) : repo.version())
      const differ = new SessionDiffer({ forEachPage: repo.forEachPage, version })
      yield* differ.look
      state.isGone = true
      assert.strictEqual((yield* Effect.flip(differ.look)).problem, "it is gone")
      state.isGone = false
      assert.strictEqual((yield* differ.look)._tag, "Reset")
      assert.strictEqual((yield* differ.look)._tag, "Nothing")
    }).pipe(Effect.provide(layerMemory([session("b")]))),
  )

  it.effect("is not looked for where there are more than 50,000: a change is told, and reads nothing", () =>
    Effect.gen(function* () {
      const repo = yield* SessionRepo
      let reads = 0
      const forEachPage: typeof repo.forEachPage = (query, take) => {
        reads++
        return repo.forEachPage(query, take)
      }
      const differ = new SessionDiffer({ forEachPage, version: repo.version })
      yield* differ.look
      for (let count = 0; count < 3; count++) {
        yield* repo.set("0", { status: `paused ${count}` })
        assert.strictEqual((yield* differ.look)._tag, "Reset")
      }
      assert.strictEqual((yield* differ.look)._tag, "Nothing")
      assert.strictEqual(reads, 1)
      // They become fewer, which is found out in a while.
      yield* repo.remove("0")
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual((yield* differ.look)._tag, "Reset")
      yield* repo.set("1", { status: "paused" })
      assert.strictEqual((yield* differ.look)._tag, "Changes")
    }).pipe(Effect.provide(layerMemory(Array.from({ length: 50_001 }, (_, index) => session(String(index)))))),
  )
})
