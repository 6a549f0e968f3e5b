import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Readable } from "node:stream"
import { request } from "undici"
import type { OriginExchange } from "../support/HttpOrigin.js"
import { Arrived, longBody } from "../support/LongBody.js"
import { gibibyte, mebibyte, startTransferLab, staysFlat, transferTime } from "../support/Transfers.js"

/** Reads on for so many bytes, and leaves. */
const readSome = async (body: AsyncIterable<Uint8Array>, bytes: number): Promise<Arrived> => {
  const arrived = new Arrived()
  for await (const piece of body) {
    arrived.take(piece)
    if (arrived.bytes >= bytes) break
  }
  return arrived
}

/** Far more than the buffers of two hops hold, for one connection. */
const bound = 64 * mebibyte

/** Waits until no byte has moved on these connections for a while: whoever sends meets a full window. */
const stalled = (exchanges: ReadonlyArray<OriginExchange>): Effect.Effect<void> =>
  Effect.gen(function* () {
    const moved = () =>
      exchanges.reduce((sum, { request }) => sum + request.socket.bytesRead + request.socket.bytesWritten, 0)
    const atFirst = moved()
    let before = -1
    while (moved() !== before) {
      before = moved()
      assert.isBelow(before - atFirst, exchanges.length * bound, "bytes that moved while nobody read")
      yield* Effect.sleep(400)
    }
  })

describe("long transfers by undici that nobody reads", () => {
  it.scopedLive(
    "hold the proxy's memory flat while twenty readers pause, and go on when they read again",
    () =>
      Effect.gen(function* () {
        const lab = yield* startTransferLab
        const { origin, url } = lab
        const paused = Effect.gen(function* () {
          const before = origin.exchanges.length
          const answers = yield* Effect.promise(() =>
            Promise.all(Array.from({ length: 20 }, () => request(`${url}/length/${gibibyte}`))),
          )
          const exchanges = origin.exchanges.slice(before)
          yield* stalled(exchanges)
          assert.isTrue(exchanges.every(({ response }) => !response.writableFinished))
          const resumed = yield* Effect.promise(() =>
            Promise.all(answers.map(({ body }) => readSome(body, 8 * mebibyte))),
          )
          for (const arrived of resumed) assert.isTrue(arrived.isIntact)
          yield* Effect.forEach(exchanges, ({ left }) => left)
        })
        yield* staysFlat(lab, "20 readers that pause", paused)
      }),
    transferTime,
  )

  it.scopedLive(
    "hold the proxy's memory flat while twenty origins do not read, and stop their senders",
    () =>
      Effect.gen(function* () {
        const lab = yield* startTransferLab
        const { origin, url } = lab
        const unread = Effect.gen(function* () {
          const before = origin.exchanges.length
          const aborts = Array.from({ length: 20 }, () => new AbortController())
          const uploads = aborts.map(({ signal }) => {
            const body = Readable.from(longBody(gibibyte))
            return request(`${url}/never-read`, { method: "PUT", body, signal }).then(
              () => "answered",
              () => "aborted",
            )
          })
          yield* origin.exchange(before + uploads.length - 1)
          const exchanges = origin.exchanges.slice(before)
          yield* stalled(exchanges)
          for (const abort of aborts) abort.abort()
          assert.deepStrictEqual([...new Set(yield* Effect.promise(() => Promise.all(uploads)))], ["aborted"])
          for (const { request: seen } of exchanges) seen.resume()
          yield* Effect.forEach(exchanges, ({ left }) => left)
        })
        yield* staysFlat(lab, "20 origins that do not read", unread)
      }),
    transferTime,
  )
})
