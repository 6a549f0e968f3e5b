import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Stream } from "effect"
import { get, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"
import { DownstreamReset, ResponseBroken } from "../../src/domain/ProxyError.js"
import { Downstream, type Answer } from "../../src/downstream/Downstream.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import * as Body from "../../src/wire/Body.js"
import { startProxy } from "../support/TestProxy.js"

/** A response to a request of a proxy whose servers all answer with this Stream. */
const askFor = (stream: Stream.Stream<Uint8Array, ResponseBroken>) =>
  Effect.gen(function* () {
    const answer: Answer = { _tag: "Answer", status: 200, reason: "OK", fields: [], body: Body.fromStream(stream) }
    const downstream = Layer.succeed(Downstream, {
      request: () => Effect.succeed(answer),
      upgrade: () => new DownstreamReset({ address: "nowhere" }),
    })
    const repo = layerMemory([{ id: "app", url: "http://unused", status: "active" }])
    const { url } = yield* startProxy({ repo, downstream })
    return yield* Effect.async<IncomingMessage>((resume) => {
      const asked = get(`${url}/app/`, { agent: false }, (response) => resume(Effect.succeed(response)))
      asked.on("error", () => {})
    })
  })

const chunk = new Uint8Array(65_536)

describe("an answer that a Stream makes", () => {
  it.scopedLive("comes in its chunks, framed", () =>
    Effect.gen(function* () {
      const response = yield* askFor(Stream.encodeText(Stream.make("one ", "two")))
      assert.strictEqual(response.headers["transfer-encoding"], "chunked")
      assert.strictEqual(yield* Effect.promise(() => text(response)), "one two")
    }),
  )

  it.scopedLive("is pulled no faster than the client reads, and interrupted when the client leaves", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      let pulled = 0
      const endless = Stream.repeatEffect(Effect.sync(() => (pulled++, chunk))).pipe(
        Stream.ensuring(Deferred.succeed(interrupted, undefined)),
      )
      const response = yield* askFor(endless)
      response.pause()
      let before = -1
      while (before !== pulled) {
        before = pulled
        yield* Effect.sleep(100)
      }
      assert.isBelow(pulled * chunk.length, 64 * 1_048_576)
      response.destroy()
      yield* Deferred.await(interrupted)
    }),
  )

  it.scopedLive("that fails does not look complete", () =>
    Effect.gen(function* () {
      const error = new ResponseBroken({ sessionId: "app", address: "nowhere", problem: "enough" })
      const response = yield* askFor(Stream.concat(Stream.make(chunk), Stream.fail(error)))
      response.on("error", () => {}).resume()
      yield* Effect.async<void>((resume) => void response.once("close", () => resume(Effect.void)))
      assert.isFalse(response.complete)
    }),
  )
})
