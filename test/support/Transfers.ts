import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { Readable } from "node:stream"
import { request } from "undici"
import type { NotSeen } from "./Changes.js"
import type { HttpOrigin } from "./HttpOrigin.js"
import { Arrived, longBody } from "./LongBody.js"
import { ProxyProcess } from "./ProxyProcess.js"
import { startTransferOrigin, type UploadReport } from "./TransferOrigin.js"

export const mebibyte = 1024 * 1024
export const gibibyte = 1024 * mebibyte

/** For a test that moves a lot, in milliseconds. */
export const transferTime = 60_000

/** The most that the proxy may grow over its size after some transfers; measured: 5 to 25 MiB, most of it not yet collected. */
const ceiling = 40 * mebibyte

/** An origin for long bodies, and a proxy for it in a process of its own. */
export interface TransferLab {
  readonly origin: HttpOrigin
  readonly proxy: ProxyProcess
  /** The URL of the session. */
  readonly url: string
}

export const startTransferLab: Effect.Effect<TransferLab, NotSeen, Scope.Scope> = Effect.gen(function* () {
  const origin = yield* startTransferOrigin
  const proxy = yield* ProxyProcess.start({ app: origin.url })
  return { origin, proxy, url: `${proxy.url}/app` }
})

/** Reads a long body to its end. */
export const readAll = async (body: AsyncIterable<Uint8Array> | null): Promise<Arrived> => {
  const arrived = new Arrived()
  for await (const piece of body ?? []) arrived.take(piece)
  return arrived
}

/** Downloads by undici's `request`. */
export const downloadFrom = async (url: string): Promise<Arrived> => readAll((await request(url)).body)

/** Uploads by undici's `request`; gives the origin's report. */
export const uploadTo = async (url: string, bytes: number, headers: Record<string, string> = {}): Promise<unknown> => {
  const { body } = await request(url, { method: "PUT", body: Readable.from(longBody(bytes)), headers })
  return body.json()
}

/** A download that came whole, as an `Arrived` looks. */
export const whole = (bytes: number): { readonly bytes: number; readonly isIntact: boolean } => ({
  bytes,
  isIntact: true,
})

/** What the origin says of an upload that came whole. */
export const report = (bytes: number, framing = "chunked"): UploadReport => ({ bytes, isIntact: true, framing })

/** Runs transfers through a proxy that is warm, and holds it to its ceiling. */
export const staysFlat = <E>(
  { proxy, url }: TransferLab,
  what: string,
  transfers: Effect.Effect<void, E>,
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    yield* Effect.promise(async () => {
      for (let round = 0; round < 3; round++) {
        await downloadFrom(`${url}/length/${64 * mebibyte}`)
        await uploadTo(`${url}/`, 64 * mebibyte)
      }
    })
    const before = proxy.memory
    proxy.forgetPeak()
    yield* transfers
    const growth = proxy.peak - before
    console.info(`${what}: ${Math.round(before / mebibyte)} MiB, at most ${Math.round(growth / mebibyte)} MiB more`)
    assert.isBelow(growth, ceiling)
  })
