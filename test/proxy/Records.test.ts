import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { RecordSinks } from "../../src/telemetry/RecordSinks.js"
import type { RecordSink } from "../../src/telemetry/RecordSink.js"
import type { TrafficRecord } from "../../src/telemetry/TrafficRecord.js"
import { eventually } from "../support/Changes.js"
import { request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { valueIn } from "../support/Numbers.js"
import { frame } from "../websocket/Frames.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"

/** Keeps what it is handed; asks for what `isWanted` says. */
class Kept implements RecordSink {
  readonly records: Array<TrafficRecord> = []
  readonly asked: Array<readonly [sessionId: string | undefined, failed: boolean]> = []

  constructor(private readonly isWanted: (failed: boolean) => boolean = () => true) {}

  wants(sessionId: string | undefined, failed: boolean): boolean {
    this.asked.push([sessionId, failed])
    return this.isWanted(failed)
  }

  write(record: TrafficRecord): void {
    this.records.push(record)
  }

  /** Waits for one more. */
  number(count: number) {
    return Effect.map(
      eventually(
        Effect.sync(() => this.records.length >= count),
        `record ${count}`,
      ),
      () => this.records[count - 1],
    )
  }
}

const labWith = (...sinks: ReadonlyArray<RecordSink>) => ({
  hooks: sinks.reduce<Layer.Layer<never>>(
    (layer, sink) => Layer.provideMerge(RecordSinks.layer(sink), layer),
    Layer.empty,
  ),
})

describe("the record of a request", () => {
  it.scopedLive("says what it was, what became of it and where its time went", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const { ask, origin } = yield* startLab(labWith(kept))
      const before = Date.now()
      const fields = ["User-Agent: test/1", "X-Request-Id: one", "Content-Length: 3"]
      yield* ask(request("POST /app/x?y", fields), "abc")
      const record = yield* kept.number(1)
      assert.isDefined(record)
      const { id, milliseconds, since, times, ...rest } = record
      assert.deepStrictEqual(rest, {
        kind: "request",
        requestId: "one",
        sessionId: "app",
        client: "127.0.0.1",
        method: "POST",
        target: "/app/x?y",
        httpVersion: "1.1",
        host: "proxy.test",
        userAgent: "test/1",
        status: 200,
        end: "complete",
        error: undefined,
        bytesIn: 3,
        bytesOut: 5,
        retries: 0,
        server: origin.authority,
        reused: false,
        traceId: undefined,
        webSocket: undefined,
      })
      assert.match(id, /^[0-9a-z]+-[0-9a-z]+$/)
      assert.closeTo(since, before, 2_000)
      const { dial = 0, firstByte = 0, queue, server = 0 } = times
      assert.isUndefined(queue)
      assert.isAbove(dial, 0)
      assert.isAbove(server, 0)
      assert.isAtLeast(firstByte, server)
      assert.isAtLeast(milliseconds, firstByte)
    }),
  )

  it.scopedLive("has an id that no other has, on a pooled connection and without a session, too", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const { ask } = yield* startLab(labWith(kept))
      yield* ask(request("GET /app/"))
      yield* ask(request("GET /app/"))
      yield* ask(request("GET /nobody/"))
      yield* ask("nonsense\r\n\r\n")
      yield* kept.number(4)
      assert.strictEqual(new Set(kept.records.map(({ id }) => id)).size, 4)
      assert.deepStrictEqual(
        kept.records.map(({ kind, reused, sessionId, status }) => [kind, sessionId, status, reused]),
        [
          ["request", "app", 200, false],
          ["request", "app", 200, true],
          ["request", "nobody", 404, undefined],
          ["refused", undefined, 400, undefined],
        ],
      )
      assert.deepStrictEqual(
        kept.records.map(({ error }) => error?._tag),
        [undefined, undefined, "SessionNotFound", "BadRequest"],
      )
    }),
  )

  it.scopedLive("says what broke an answer off", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const { origin, proxy } = yield* startLab({
        ...labWith(kept),
        script: (connection) =>
          Effect.zipRight(connection.head, connection.send(response("200 OK", ["Content-Length: 10"]), "abc")),
      })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/"))
      yield* client.seen("abc")
      yield* (yield* origin.connection(0)).finish
      const record = yield* kept.number(1)
      assert.deepStrictEqual([record?.end, record?.status, record?.error?._tag], ["server", 200, "ResponseBroken"])
    }),
  )

  it.scopedLive("has no negative time where the clock is set back an hour", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const { origin, proxy } = yield* startLab({
        ...labWith(kept),
        script: (connection) => Effect.zipRight(connection.head, connection.send(response("200 OK", []))),
      })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/"))
      yield* client.head
      const now = Date.now()
      const clock = vi.spyOn(Date, "now").mockImplementation(() => now - 3_600_000)
      yield* Effect.addFinalizer(() => Effect.sync(() => clock.mockRestore()))
      yield* (yield* origin.connection(0)).finish
      const record = yield* kept.number(1)
      assert.isAtLeast(record?.milliseconds ?? -1, 0)
      assert.isAtLeast(record?.times.firstByte ?? -1, 0)
      assert.strictEqual(valueIn(yield* proxy.metrics, 'ss_proxy_http_request_duration_seconds_count{status="2xx"}'), 1)
    }),
  )

  it.scopedLive("is made only for sinks that want it, and one that throws ends no request", () =>
    Effect.gen(function* () {
      const failures = new Kept((failed) => failed)
      const broken: RecordSink = {
        wants: () => true,
        write: () => {
          throw new Error("a sink of this test")
        },
      }
      const { ask, proxy } = yield* startLab(labWith(broken, failures))
      assert.strictEqual((yield* ask(request("GET /app/"))).status, 200)
      assert.strictEqual((yield* ask(request("GET /nobody/"))).status, 404)
      yield* failures.number(1)
      assert.deepStrictEqual(failures.asked, [
        ["app", false],
        ["nobody", true],
      ])
      assert.strictEqual(failures.records.length, 1)
      assert.strictEqual(proxy.log.filter((line) => line.includes("a sink of this test")).length, 2)
    }),
  )
})

describe("the record of a WebSocket", () => {
  it.scopedLive("says how it ended, and what its handshake was", () =>
    Effect.gen(function* () {
      const kept = new Kept()
      const lab = yield* startLab({ ...labWith(kept), script: agreeing() })
      const { client, server } = yield* openThrough(lab, "/app/socket", ["User-Agent: test/1", "X-Request-Id: two"])
      yield* client.raw.send(frame(1, "hello", { masked: true }))
      yield* server.seen(11)
      yield* client.raw.send(frame(8, Buffer.concat([Buffer.from([0x03, 0xf0]), Buffer.from("why")]), { masked: true }))
      yield* server.raw.finish
      yield* client.raw.finish
      const record = yield* kept.number(1)
      assert.isDefined(record)
      assert.deepStrictEqual(kept.asked, [["app", true]])
      assert.deepStrictEqual(record.webSocket, {
        code: 1008,
        reason: "why",
        closedBy: "client",
        messagesIn: 1,
        messagesOut: 0,
      })
      const { bytesIn, end, host, kind, requestId, server: address, status, times, userAgent } = record
      assert.deepStrictEqual(
        { bytesIn, end, host, kind, requestId, address, status, userAgent },
        {
          bytesIn: 22,
          end: "client",
          host: "proxy.test",
          kind: "websocket",
          requestId: "two",
          address: lab.origin.authority,
          status: 101,
          userAgent: "test/1",
        },
      )
      assert.isAbove(times.dial ?? 0, 0)
      assert.isAbove(times.firstByte ?? 0, times.server ?? Number.POSITIVE_INFINITY)
    }),
  )

  it.scopedLive(
    "says that its session ended it where that was removed or moved, and the proxy where that stopped",
    () =>
      Effect.gen(function* () {
        const kept = new Kept()
        const lab = yield* startLab({ ...labWith(kept), script: agreeing() })
        const { repo, server } = lab.proxy
        const url = lab.origin.url
        const endAfter = (change: Effect.Effect<unknown, unknown>) =>
          Effect.gen(function* () {
            const { client } = yield* openThrough(lab, "/app/socket")
            const before = kept.records.length
            yield* Effect.forkScoped(Effect.orDie(change))
            const record = yield* kept.number(before + 1)
            yield* client.raw.reset
            return [record?.end, record?.webSocket?.closedBy]
          })
        assert.deepStrictEqual(yield* endAfter(repo.set("app", { url: `${url}/elsewhere` })), ["session", "proxy"])
        assert.deepStrictEqual(yield* endAfter(repo.remove("app")), ["session", "proxy"])
        yield* repo.add({ id: "app", url, status: "active" })
        assert.deepStrictEqual(yield* endAfter(server.drain), ["proxy", "proxy"])
      }),
  )
})
