import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Option, Schema, Stream, TestClock } from "effect"
import { mostWaiting, Tail } from "../../src/admin/process/Tail.js"
import { sqliteAt } from "../../src/cli/Database.js"
import { followProxies } from "../../src/cli/admin/FollowedProxies.js"
import { tellSinks } from "../../src/telemetry/RecordSinks.js"
import { RecordTaps } from "../../src/telemetry/RecordTaps.js"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { valueIn } from "../support/Numbers.js"
import { jsonLine, recordWith } from "../telemetry/Records.js"
import { startAdminLab } from "./AdminLab.js"
import { EventReader } from "./EventReader.js"

const start = Effect.gen(function* () {
  const taps = new RecordTaps()
  const sinks = yield* taps.join([])
  const tail = new Tail(taps, "redact")
  const end = (given: Parameters<typeof recordWith>[0] = {}): void => {
    const record = recordWith(given)
    const failed = record.end !== "complete"
    tellSinks(sinks, { sessionId: record.sessionId, failed, record: () => record }, (cause) => {
      throw cause
    })
  }
  return { sinks, tail, end }
})

const Lost = Schema.Struct({ count: Schema.Number })

const anything = { session: undefined, onlyFailed: false }

/** What a reader takes next. */
const takeFrom = (next: Effect.Effect<string>) =>
  Effect.gen(function* () {
    const taking = yield* Effect.fork(next)
    yield* TestClock.adjust(20)
    return yield* Fiber.join(taking)
  })

describe("the tail of what is over", () => {
  it.scoped("has the lines of the access log, of a session or what failed, for each reader", () =>
    Effect.gen(function* () {
      const { end, tail } = yield* start
      const all = yield* tail.read(anything)
      const some = yield* tail.read({ session: "alice", onlyFailed: true })
      end({ sessionId: "alice", target: "/alice/?token=hunter2" })
      end({ sessionId: "alice", end: "server" })
      end({ sessionId: "bob", end: "server" })
      const line = jsonLine(recordWith({ sessionId: "alice", end: "server" }), "redact")
      assert.strictEqual(yield* takeFrom(some), `event: record\ndata: ${line}\n\n`)
      const text = yield* takeFrom(all)
      assert.strictEqual(text.split("event: record\n").length, 4)
      assert.include(text, "token=REDACTED")
    }),
  )

  it.scoped("keeps no more than a thousand for who is slow, and says how many of the newest are lost", () =>
    Effect.gen(function* () {
      const { end, tail } = yield* start
      const next = yield* tail.read(anything)
      for (let times = 0; times < mostWaiting + 50; times++) end({ requestId: String(times) })
      const text = yield* takeFrom(next)
      assert.strictEqual(text.split("event: record\n").length, mostWaiting + 1)
      assert.include(text, `"request_id":"${mostWaiting - 1}"`)
      assert.isTrue(text.endsWith('event: dropped\ndata: {"count":50}\n\n'))
      for (let times = 0; times < mostWaiting; times++)
        end({ userAgent: "x".repeat(200), requestId: "y".repeat(1_500) })
      assert.isBelow((yield* takeFrom(next)).length, 1_100_000)
    }),
  )

  it.scoped("is no sink while nobody reads", () =>
    Effect.gen(function* () {
      const { sinks, tail } = yield* start
      assert.isEmpty(sinks)
      yield* Effect.scoped(Effect.tap(tail.read(anything), () => assert.lengthOf(sinks, 1)))
      assert.isEmpty(sinks)
    }),
  )

  it.scopedLive("comes as events, at once", () =>
    Effect.gen(function* () {
      const { adminSocket, ask } = yield* startAdminLab()
      const reader = yield* EventReader.open(adminSocket, "/v1/tail?session=app")
      yield* reader.until("its head", ({ client }) => client.unread.includes("retry: 2000"))
      yield* ask(request("GET /none/"))
      yield* ask(request("GET /app/?password=hunter2"))
      yield* reader.until("a record", (one) => one.events.length > 0)
      const [{ data, event } = { data: undefined, event: "" }] = reader.events
      assert.strictEqual(event, "record")
      assert.propertyVal(data, "target", "/app/?password=REDACTED")
      assert.propertyVal(data, "session", "app")
    }),
  )

  it.scopedLive("loses what a slow reader does not take, and tells it how much when it reads on", () =>
    Effect.gen(function* () {
      const [total, target] = [2_500, `/none/${"x".repeat(1_500)}`]
      const lab = yield* startAdminLab()
      const reader = yield* EventReader.open(lab.adminSocket, "/v1/tail")
      yield* reader.until("its head", ({ client }) => client.unread.includes("retry: 2000"))
      reader.client.socket.pause()
      const client = yield* lab.proxy.connect
      yield* client.send(request(`GET ${target}`).repeat(total))
      const counted = Effect.map(lab.proxy.metrics, (text) =>
        valueIn(text, 'ss_proxy_http_requests_total{method="GET",status="4xx",cause="session_not_found"}'),
      )
      yield* eventually(
        Effect.map(counted, (count) => count === total),
        "all requests",
      ).pipe(Effect.retry({ times: 10 }))
      reader.client.socket.resume()
      yield* reader.until("what is lost", (one) => one.client.unread.includes("event: dropped"))
      yield* lab.ask(request("GET /app/behind"))
      yield* reader.until("what comes behind it", (one) => one.client.unread.includes("/app/behind"))
      const lost = reader.named("dropped").map(({ data }) => Schema.decodeUnknownSync(Lost)(data).count)
      const seen = reader.named("record").length - 1
      assert.strictEqual(
        lost.reduce((sum, count) => sum + count, seen),
        total,
      )
      assert.isBelow(seen, total / 2)
    }),
  )

  it.scopedLive("is followed by the command line", () =>
    Effect.gen(function* () {
      const { adminSocket, ask } = yield* startAdminLab()
      const events = followProxies(Option.some(adminSocket), sqliteAt(adminSocket), "/v1/tail")
      const following = yield* Effect.fork(Stream.runCollect(Stream.take(events, 3)))
      yield* Effect.raceFirst(
        Effect.forever(Effect.zipRight(ask(request("GET /app/")), Effect.sleep(20))),
        Fiber.await(following),
      )
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(yield* Fiber.join(following)).map(({ event }) => event),
        ["record", "record", "record"],
      )
    }),
  )
})
