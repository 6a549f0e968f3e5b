import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, Effect } from "effect"
import { readResponse } from "../support/HttpMessage.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { makeRandom } from "../support/Random.js"
import type { Script } from "../support/RawOrigin.js"
import { type Case, makeCase } from "../wire/ResponseCases.js"

const caseCount = 240
const atOnce = 20

/** Says what the case has that the target names, in its pieces, and closes. */
const saying =
  (cases: ReadonlyArray<Case>): Script =>
  (connection) =>
    Effect.gen(function* () {
      const { target } = yield* connection.request
      const one = cases[Number(target.slice(1))]
      if (one === undefined) return
      const { bytes, cuts } = one
      for (const [index, to] of [...cuts, bytes.length].entries())
        yield* connection.send(bytes.subarray(index === 0 ? 0 : cuts[index - 1], to))
      yield* connection.finish
    })

describe("what a client gets, whatever a server sends", () => {
  for (const lenient of ["off", "on"] as const)
    it.scopedLive(
      `is one strict response and nothing behind it, or its connection is reset: --lenient ${lenient}`,
      () =>
        Effect.gen(function* () {
          const random = makeRandom(0xace)
          const cases = Array.from({ length: caseCount }, () => makeCase(random))
          const { proxy } = yield* startLab({ script: saying(cases), settings: { lenient } })
          const counts = { answered: 0, refused: 0, reset: 0 }
          const check = ({ bytes, cuts, method }: Case, index: number) =>
            Effect.gen(function* () {
              const client = yield* proxy.connect
              const version = index % 3 === 0 ? "HTTP/1.0" : "HTTP/1.1"
              yield* client.send(request(`${method} /app/${index}`, ["Connection: close"]).replace("HTTP/1.1", version))
              const departure = yield* client.gone
              const what = JSON.stringify({ sent: bytes.toString("latin1"), cuts, got: client.text })
              const got = readResponse(client.received, 0, method, departure === "finished")
              assert.strictEqual(got === undefined, departure === "reset", what)
              if (got === undefined) return void counts.reset++
              assert.strictEqual(got.end, client.received.length, what)
              assert.notMatch(client.text.slice(0, client.text.indexOf("\r\n\r\n")), /[\0-\x08\v\f\x0e-\x1f\x7f]/, what)
              counts[got.message.text.includes('"code":"downstream_protocol"') ? "refused" : "answered"]++
            }).pipe(Effect.scoped)
          for (const some of Arr.chunksOf(cases.entries(), atOnce))
            yield* Effect.forEach(some, ([index, one]) => check(one, index), { concurrency: atOnce, discard: true })
          assert.isAbove(counts.answered, caseCount / 2)
          assert.isAbove(counts.refused, caseCount / 20)
          assert.isAbove(counts.reset, 0)
        }),
    )
})
