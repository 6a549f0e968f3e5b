import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { fileURLToPath } from "node:url"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { runTool } from "../support/Tool.js"

const script = fileURLToPath(new URL("../../scripts/soak/fleet.mjs", import.meta.url))

const Counts = Schema.Struct({ well: Schema.Number, failed: Schema.Number })

const Told = Schema.Struct({
  kinds: Schema.Record({ key: Schema.String, value: Counts }),
  by_proxy: Schema.Record({ key: Schema.String, value: Schema.Number }),
  in_force_ms: Schema.Struct({ count: Schema.Number }),
  killed: Schema.Struct({ open_websockets: Schema.Number, closed_websockets: Schema.Number }),
  outage: Schema.Struct({ answers: Schema.Number }),
  wrong: Schema.Array(Schema.String),
})

describeUnless(lacking("haproxy") ?? lackingPostgres)("three proxies on one database, behind HAProxy", () => {
  it.scopedLive(
    "send nobody to a wrong server and fail no request while sessions change, one is killed, and the database crashes",
    () =>
      Effect.gen(function* () {
        // A busy machine takes longer than 50 ms for a turn. A server that never was the session's is wrong at any time.
        const flags = [
          "--seconds",
          "6",
          "--clients",
          "100",
          "--sessions",
          "30",
          "--rate",
          "60",
          "--window",
          "3000",
          "--ending",
          "5000",
        ]
        const { code, stderr, stdout } = yield* runTool(process.execPath, [script, ...flags, "--json"])
        assert.notStrictEqual(stdout, "", stderr)
        const told = Schema.decodeUnknownSync(Schema.parseJson(Told))(stdout)
        assert.deepStrictEqual([code, told.wrong], [0, []])
        for (const kind of ["keep-alive GET", "GET on a new connection", "WebSocket", "message"])
          assert.isAbove(told.kinds[kind]?.well ?? 0, 0, kind)
        assert.deepStrictEqual(Object.keys(told.by_proxy).toSorted(), ["a", "b", "c"])
        assert.isAbove(told.in_force_ms.count, 0)
        assert.isAbove(told.killed.closed_websockets, 0)
        assert.isBelow(told.killed.closed_websockets, told.killed.open_websockets)
        assert.isAbove(told.outage.answers, 0)
      }),
    120_000,
  )
})
