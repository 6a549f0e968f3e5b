import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { PassThrough, Readable } from "node:stream"
import { fetch, stream } from "undici"
import { type Arrived, longBody } from "../support/LongBody.js"
import {
  downloadFrom,
  gibibyte,
  mebibyte,
  readAll,
  report,
  startTransferLab,
  staysFlat,
  transferTime,
  uploadTo,
  whole,
} from "../support/Transfers.js"

const byFetch = async (url: string): Promise<Arrived> => readAll((await fetch(url)).body)

const byStream = async (url: string): Promise<Arrived> => {
  const sink = new PassThrough()
  const [arrived] = await Promise.all([readAll(sink), stream(url, { method: "GET", opaque: sink }, () => sink)])
  return arrived
}

const putByFetch = async (url: string, bytes: number) => {
  const body = Readable.toWeb(Readable.from(longBody(bytes)))
  return (await fetch(url, { method: "PUT", body, duplex: "half" })).json()
}

describe("long transfers by undici", () => {
  for (const [how, get] of Object.entries({ request: downloadFrom, fetch: byFetch, stream: byStream }))
    it.scopedLive(`download by ${how}, whatever the framing, byte for byte`, () =>
      Effect.gen(function* () {
        const { url } = yield* startTransferLab
        for (const framing of ["length", "chunked"])
          assert.deepInclude(
            yield* Effect.promise(() => get(`${url}/${framing}/${16 * mebibyte}`)),
            whole(16 * mebibyte),
          )
      }),
    )

  it.scopedLive("upload by request and fetch, whatever the framing, byte for byte", () =>
    Effect.gen(function* () {
      const { url } = yield* startTransferLab
      const bytes = 16 * mebibyte
      const withLength = { "Content-Length": String(bytes) }
      assert.deepStrictEqual(yield* Effect.promise(() => uploadTo(url, bytes)), report(bytes))
      assert.deepStrictEqual(yield* Effect.promise(() => uploadTo(url, bytes, withLength)), report(bytes, "length"))
      assert.deepStrictEqual(yield* Effect.promise(() => putByFetch(url, bytes)), report(bytes))
    }),
  )

  it.scopedLive(
    "of 1 GiB hold the proxy's memory flat, down and up",
    () =>
      Effect.gen(function* () {
        const lab = yield* startTransferLab
        const { url } = lab
        const transfers = Effect.gen(function* () {
          assert.deepInclude(yield* Effect.promise(() => downloadFrom(`${url}/length/${gibibyte}`)), whole(gibibyte))
          assert.deepStrictEqual(yield* Effect.promise(() => uploadTo(url, gibibyte)), report(gibibyte))
        })
        yield* staysFlat(lab, "1 GiB down and up by undici", transfers)
      }),
    transferTime,
  )
})
