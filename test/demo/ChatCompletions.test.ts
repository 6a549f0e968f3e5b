import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Stream, TestClock } from "effect"
import { chatCompletions } from "../../src/demo/ChatCompletions.js"
import type { DemoRequest } from "../../src/demo/DemoRequest.js"

const asking = (query: string): DemoRequest => ({
  method: "POST",
  path: "/v1/chat/completions",
  param: "",
  query: new URLSearchParams(query),
  url: "http://demo/v1/chat/completions",
  origin: "127.0.0.1",
  fields: [],
  header: () => undefined,
  body: Stream.make(Buffer.from('{"stream":true,"messages":[{"role":"user","content":"one two three"}]}')),
})

/** Reads an answer as it comes: gives what has come since it was asked last. */
const readerOf = (query: string) =>
  Effect.gen(function* () {
    const { body } = yield* chatCompletions(asking(query))
    if (typeof body === "string" || body instanceof Uint8Array) return yield* Effect.dieMessage("no stream")
    const events = yield* Queue.unbounded<string>()
    const all = yield* Effect.fork(Stream.runForEach(body, (event) => Queue.offer(events, String(event))))
    const words = Effect.map(Queue.takeAll(events), (texts) =>
      [...texts].flatMap((text) => [...text.matchAll(/"content":"(\w+) ?"/g)].map(([, word]) => word)),
    )
    return { all, words }
  })

describe("the words of the demo's completions", () => {
  it.effect("come 150 ms apart", () =>
    Effect.gen(function* () {
      const { all, words } = yield* readerOf("")
      yield* TestClock.adjust("149 millis")
      assert.deepStrictEqual(yield* words, [])
      for (const word of ["one", "two", "three"]) {
        yield* TestClock.adjust("1 millis")
        assert.deepStrictEqual(yield* words, [word])
        yield* TestClock.adjust("149 millis")
        assert.deepStrictEqual(yield* words, [])
      }
      yield* Fiber.join(all)
    }),
  )

  it.effect("come as far apart as the query says", () =>
    Effect.gen(function* () {
      const { all, words } = yield* readerOf("interval=500")
      yield* TestClock.adjust("499 millis")
      assert.deepStrictEqual(yield* words, [])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(yield* words, ["one", "two"])
      yield* Fiber.interrupt(all)
    }),
  )
})
