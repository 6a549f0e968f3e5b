import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HistoryView, StatsView } from "../../src/admin/api/StatsGroup.js"
import { chunk, request, response } from "../support/HttpText.js"
import { eventually } from "../support/Changes.js"
import { saying } from "../support/RawOrigin.js"
import { startAdminLab } from "./AdminLab.js"

const statsOf = Schema.decodeUnknownSync(StatsView)
const historyOf = Schema.decodeUnknownSync(HistoryView)

describe("what the admin API tells of the last second", () => {
  it.scopedLive("is how much came, how long it took, and what is there", () =>
    Effect.gen(function* () {
      const { ask, get, proxy } = yield* startAdminLab()
      const first = statsOf(yield* get("/v1/stats"))
      assert.deepStrictEqual(first.sessions, { known: 0, draining: 0, forwarding: 1, others: 0 })
      assert.strictEqual(first.store.state, "ok")
      assert.isNull(first.sample.p50_ms)
      for (let times = 0; times < 3; times++) yield* ask(request("GET /app/"))
      const busy = Effect.map(get("/v1/stats/history"), (found) =>
        historyOf(found).samples.find(({ requests_per_second }) => requests_per_second > 0),
      )
      yield* eventually(
        Effect.map(busy, (sample) => sample !== undefined),
        "a second with requests",
      )
      const sample = yield* busy
      assert.approximately(sample?.answers_per_second["2xx"] ?? 0, 3, 2.9)
      assert.approximately(sample?.bytes_out_per_second ?? 0, 15, 14.9)
      assert.isNotNull(sample?.first_byte_p99_ms)
      yield* proxy.repo.drain("app", 60_000)
      yield* ask(request("GET /app/"))
      assert.deepStrictEqual(statsOf(yield* get("/v1/stats")).sessions.draining, 1)
    }),
  )

  it.scopedLive("counts what is still on its way", () =>
    Effect.gen(function* () {
      const begun = response("200 OK", ["Transfer-Encoding: chunked"]) + chunk("hello")
      const { get, proxy } = yield* startAdminLab({ script: saying(begun) })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/"))
      const seen = Effect.map(get("/v1/stats/history"), (found) => historyOf(found).samples)
      yield* eventually(
        Effect.map(seen, (samples) => samples.some(({ bytes_out_per_second: out }) => out > 0)),
        "bytes of an answer that is not over",
      )
      yield* eventually(
        Effect.map(get("/v1/stats"), (found) => statsOf(found).sample.streams === 1),
        "a stream",
      )
      client.socket.destroy()
    }),
  )
})
