import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SessionNotFound } from "../../src/domain/ProxyError.js"
import { ProxyEvents } from "../../src/library/ProxyEvents.js"
import { RecordTaps } from "../../src/telemetry/RecordTaps.js"
import { recordWith } from "../telemetry/Records.js"

const failure = recordWith({ status: 404, error: new SessionNotFound({ sessionId: "alice" }) })

describe("the events of a proxy", () => {
  it.scoped("ask for a record only while somebody listens, and only for what went wrong where nobody wants more", () =>
    Effect.gen(function* () {
      const taps = new RecordTaps()
      const sinks = yield* taps.join([])
      const events = new ProxyEvents(taps, (thrown) => assert.fail(String(thrown)))
      const wanted = () => [false, true].map((failed) => sinks.some((sink) => sink.wants("alice", failed)))
      const told: Array<string> = []
      const offClose = events.on("close", () => void told.push("close"))
      assert.strictEqual(sinks.length, 0)
      const offError = events.on("error", ({ status }) => void told.push(`error ${status}`))
      assert.deepStrictEqual(wanted(), [false, true])
      sinks[0]?.write(failure)
      const offRequest = events.on("request", ({ status }) => void told.push(`request ${status}`))
      assert.deepStrictEqual([sinks.length, ...wanted()], [1, true, true])
      for (const record of [recordWith(), failure]) sinks[0]?.write(record)
      offRequest()
      assert.deepStrictEqual(wanted(), [false, true])
      offError()
      assert.strictEqual(sinks.length, 0)
      events.tell("close", undefined)
      offClose()
      events.tell("close", undefined)
      assert.deepStrictEqual(told, ["error 404", "request 200", "request 404", "error 404", "close"])
    }),
  )
})
