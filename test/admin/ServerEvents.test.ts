import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue, Stream, TestClock } from "effect"
import { Access } from "../../src/admin/access/Access.js"
import { AdminTokens } from "../../src/admin/access/AdminTokens.js"
import { ChangeNotes } from "../../src/admin/access/ChangeNotes.js"
import { serverEvents } from "../../src/admin/calls/ServerEvents.js"
import { eventText } from "../../src/admin/fleet/EventText.js"

/** A stream of what is offered to it; what has come of it, and whether what it holds is released. */
const start = Effect.gen(function* () {
  const [ended, offered] = [yield* Deferred.make<void>(), yield* Queue.unbounded<string>()]
  const seen: Array<string> = []
  const state = { isReleased: false }
  const begin = Effect.as(
    Effect.addFinalizer(() => Effect.sync(() => (state.isReleased = true))),
    Queue.take(offered),
  )
  const access = {
    tokens: new AdminTokens([], undefined),
    changes: new ChangeNotes(),
    url: () => undefined,
    ended: Deferred.await(ended),
  }
  const { body } = yield* Effect.provideService(serverEvents(begin), Access, access)
  const all = body._tag === "Stream" ? Stream.decodeText(body.stream) : Stream.empty
  const reading = yield* Effect.fork(Stream.runForEach(all, (text) => Effect.sync(() => seen.push(text))))
  return { ended, offered, seen, state, reading }
})

describe("a stream of events", () => {
  it.effect("says every 15 seconds that it is there, and bye at the end", () =>
    Effect.gen(function* () {
      const { ended, offered, reading, seen, state } = yield* start
      yield* TestClock.adjust("14 seconds")
      yield* Queue.offer(offered, eventText("one", "1", "7"))
      yield* TestClock.adjust("14 seconds")
      assert.deepStrictEqual(seen, ["retry: 2000\n\n", "event: one\nid: 7\ndata: 1\n\n"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(seen[2], ": still here\n\n")
      yield* Deferred.succeed(ended, undefined)
      yield* Fiber.join(reading)
      assert.strictEqual(seen[3], "event: bye\ndata: {}\n\n")
      assert.isTrue(state.isReleased)
    }),
  )

  it.effect("holds nothing any more when its reader has left", () =>
    Effect.gen(function* () {
      const { reading, state } = yield* start
      yield* TestClock.adjust("1 second")
      assert.isFalse(state.isReleased)
      yield* Fiber.interrupt(reading)
      assert.isTrue(state.isReleased)
    }),
  )
})
