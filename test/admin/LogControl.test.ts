import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { LogControl, type LogThreshold } from "../../src/log/LogControl.js"
import { eventually } from "../support/Changes.js"
import { jsonOf, readToken, startAdminLab } from "./AdminLab.js"

describe("the log of the program", () => {
  it.scopedLive("is set to another level by call, for a time or for good, and its file is opened anew", () =>
    Effect.gen(function* () {
      let level: LogThreshold = "warn"
      let reopened = 0
      const steering = {
        level: () => level,
        setLevel: (to: LogThreshold) => void (level = to),
        reopen: () => void reopened++,
      }
      const lab = yield* Effect.provide(startAdminLab(), Layer.succeed(LogControl, steering))
      const set = (body: unknown) =>
        Effect.map(lab.askSocket("PUT /v1/log", JSON.stringify(body)), ({ status }) => status)
      for (const body of [
        {},
        { level: "loud" },
        { level: "info", for: "0s" },
        { level: "info", for: "8d" },
        { lvl: 1 },
      ])
        assert.strictEqual(yield* set(body), 400, JSON.stringify(body))
      assert.strictEqual((yield* lab.askWith(readToken, "PUT /v1/log", '{"level":"info"}')).status, 403)
      assert.strictEqual(level, "warn")
      assert.strictEqual(yield* set({ level: "debug", for: "10m" }), 204)
      assert.strictEqual(level, "debug")
      // A second one goes back to what was before both.
      assert.strictEqual(yield* set({ level: "trace", for: "0.05s" }), 204)
      yield* eventually(
        Effect.sync(() => level === "warn"),
        "the level to go back",
      )
      assert.strictEqual(yield* set({ level: "debug", for: "0.05s" }), 204)
      assert.strictEqual(yield* set({ level: "error" }), 204)
      yield* Effect.sleep("100 millis")
      assert.strictEqual(level, "error")
      assert.strictEqual((yield* lab.askSocket("POST /v1/log/reopen")).status, 204)
      assert.strictEqual(reopened, 1)
      yield* eventually(
        Effect.sync(() => lab.proxy.log.some((line) => line.includes("level=debug") && line.includes("for=600s"))),
        "the line of the log",
      )
    }),
  )

  it.scopedLive("is nothing that the API steers, where a program that embeds the proxy keeps it to itself", () =>
    Effect.gen(function* () {
      const { askSocket } = yield* startAdminLab()
      for (const answer of [
        yield* askSocket("PUT /v1/log", '{"level":"debug"}'),
        yield* askSocket("POST /v1/log/reopen"),
      ]) {
        assert.strictEqual(answer.status, 404)
        assert.nestedPropertyVal(jsonOf(answer), "code", "not_available")
      }
    }),
  )
})
