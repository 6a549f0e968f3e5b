import { assert, describe, it } from "@effect/vitest"
import { liveCountsView } from "../../src/admin/fleet/SessionRates.js"
import { Looks } from "../../src/admin/process/Looks.js"
import { WatchedSessions } from "../../src/admin/process/WatchedSessions.js"
import { SessionActivity } from "../../src/sessions/SessionActivity.js"
import { FailureRing } from "../../src/telemetry/ErrorRing.js"
import { RecordTaps } from "../../src/telemetry/RecordTaps.js"
import { Counters } from "../../src/telemetry/Telemetry.js"
import { BadRequest, DownstreamReset, SessionUnavailable } from "../../src/domain/ProxyError.js"
import { recordWith } from "../telemetry/Records.js"

const none = { requests: 0, streams: 0, websockets: 0 }

const lab = () => {
  const activity = new SessionActivity("alice")
  const ring = new FailureRing("redact")
  const taps = new RecordTaps()
  const looks = new Looks(new Counters(), () => [])
  const directory = { activityOf: (id: string) => (id === "alice" ? activity : undefined) }
  const rates = new WatchedSessions(directory, ring, taps, looks)
  /** What is shown of a session to somebody who looks at it. */
  const look = (id: string) => liveCountsView(new Map(rates.look([id])).get(id), none)
  return { activity, look, rates, ring }
}

describe("rates of a session", () => {
  it("are not known at once, then those of each second, and latencies of its requests", () => {
    const { activity, look: lookAt, rates, ring } = lab()
    lookAt("bob")
    const look = () => lookAt("alice")
    assert.isNull(look().requests_per_second)
    activity.bytesOut = 1_000
    rates.began(1_000)
    rates.ended()
    assert.isNull(look().requests_per_second)
    activity.bytesOut += 4_000
    for (const milliseconds of [3, 3, 70]) rates.write(recordWith({ sessionId: "alice", milliseconds }))
    rates.write(recordWith({ sessionId: "alice", kind: "websocket", milliseconds: 90_000 }))
    ring.write(recordWith({ sessionId: "alice", error: new DownstreamReset({ address: "10.0.0.7:9000" }) }))
    rates.began(3_000)
    rates.ended()
    const { bytes_out_per_second, last_error, p50_ms, p99_ms, requests_per_second } = look()
    assert.deepStrictEqual([requests_per_second, bytes_out_per_second, last_error], [1.5, 2_000, "downstream_reset"])
    assert.isTrue((p50_ms ?? 0) > 2 && (p50_ms ?? 0) < 5, String(p50_ms))
    assert.isTrue((p99_ms ?? 0) > 50 && (p99_ms ?? 0) <= 100, String(p99_ms))
    rates.began(4_000)
    rates.ended()
    assert.strictEqual(look().requests_per_second, 0)
    assert.isNull(look().p50_ms)
    assert.strictEqual(lookAt("bob").requests_per_second, 0)
  })

  it("count what was refused before its server was asked, and no fault of a client as an error", () => {
    const { look, rates } = lab()
    look("asleep")
    rates.began(1_000)
    rates.ended()
    for (const error of [
      new SessionUnavailable({ sessionId: "asleep", status: "paused" }),
      new BadRequest({ detail: "" }),
    ])
      rates.write(recordWith({ sessionId: "asleep", status: 503, error }))
    rates.began(2_000)
    rates.ended()
    const { errors_per_second, requests_per_second } = look("asleep")
    assert.deepStrictEqual([requests_per_second, errors_per_second], [2, 1])
  })

  it("cost nothing when nobody has looked for ten seconds", () => {
    const { rates } = lab()
    rates.look(["alice"])
    assert.isTrue(rates.wants("alice"))
    assert.isFalse(rates.wants("bob"))
    rates.began(performance.now() + 9_000)
    assert.isTrue(rates.wants("alice"))
    rates.began(performance.now() + 11_000)
    assert.isFalse(rates.wants("alice"))
  })
})
