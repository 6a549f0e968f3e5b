import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { connect } from "node:net"
import { join } from "node:path"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { bareRequest, request } from "../support/HttpText.js"
import { unusedPort } from "../support/Listening.js"
import { hello } from "../support/Lab.js"
import { answering, RawOrigin, saying } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"
import { Collector } from "./Collector.js"
import { startTraceLab, tracerOf } from "./TraceLab.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const parentId = "b7ad6b7169203331"
const from = (flags: string) => [`traceparent: 00-${traceId}-${parentId}-${flags}`]
const loopback = ["127.0.0.0/8"]

describe("the spans of a request", () => {
  it.scopedLive("do not show what stands before the @ of a Host", () =>
    Effect.gen(function* () {
      const { ask, collector } = yield* startTraceLab()
      assert.strictEqual((yield* ask(bareRequest("GET /app/x", ["Host: hunter2@h"]))).status, 400)
      const [span] = yield* collector.has(1)
      assert.strictEqual(span?.attributes["server.address"], "h")
    }),
  )

  it.scopedLive("are found by the id that its client was told, though it was refused at once", () =>
    Effect.gen(function* () {
      const { ask, collector } = yield* startTraceLab()
      for (const head of ["GET /nobody/x", "TRACE /app/x", "GET /ws/app", "GET //"]) {
        const answer = yield* ask(request(head))
        const told = answer.value("x-request-id")
        yield* eventually(
          Effect.sync(() => collector.spans.some((span) => span.kind === "server" && span.traceId === told)),
          `a trace ${told}, which was answered with ${answer.status}`,
        )
      }
      assert.strictEqual((yield* ask(request("GET /nobody/x", ["X-Request-Id: mine"]))).value("x-request-id"), "mine")
    }),
  )

  it.scopedLive("tell how long it was held for a server that could not be reached", () =>
    Effect.gen(function* () {
      const { ask, collector, proxy } = yield* startTraceLab({ settings: { hold: 100 } })
      yield* proxy.repo.add({ id: "away", url: `http://127.0.0.1:${yield* unusedPort}`, status: "active" })
      assert.strictEqual((yield* ask(request("GET /away/x"))).status, 502)
      yield* collector.has(3)
      const [client] = collector.named("GET")
      const [hold] = collector.named("hold")
      assert.strictEqual(hold?.parentId, client?.spanId)
      assert.include(hold?.attributes, { "error.type": "refused" })
      assert.isAtLeast((hold?.end ?? 0) - (hold?.start ?? 0), 99)
    }),
  )

  it.scopedLive("are its own and that of what its server was asked, which gets the id of the latter", () =>
    Effect.gen(function* () {
      const { ask, collector, origin } = yield* startTraceLab()
      assert.strictEqual((yield* ask(request("GET /app/x?a=1&token=s3cret", ["User-Agent: test"]))).status, 200)
      yield* collector.has(3)
      const [server] = collector.named("GET /{session_id}")
      const [client] = collector.named("GET")
      const [dial] = collector.named("dial")
      assert.strictEqual(collector.spans.length, 3)
      assert.deepStrictEqual([dial?.kind, dial?.parentId], ["internal", client?.spanId])
      assert.deepStrictEqual([server?.kind, client?.kind], ["server", "client"])
      assert.isUndefined(server?.parentId)
      assert.deepStrictEqual([client?.parentId, client?.traceId], [server?.spanId, server?.traceId])
      const seen = yield* origin.request()
      assert.strictEqual(seen.value("traceparent"), `00-${server?.traceId}-${client?.spanId}-01`)
      assert.strictEqual(seen.value("x-request-id"), server?.traceId)
      assert.isTrue((server?.start ?? 0) <= (client?.start ?? 0) && (client?.end ?? 0) <= (server?.end ?? 0))
      assert.closeTo(server?.start ?? 0, Date.now(), 5_000)
      assert.include(server?.attributes, {
        "http.request.method": "GET",
        "http.route": "/{session_id}",
        "url.path": "/app/x",
        "url.query": "a=1&token=REDACTED",
        "http.response.status_code": 200,
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "user_agent.original": "test",
        "http.response.body.size": 5,
        "ss_proxy.session": "app",
        "ss_proxy.end": "complete",
      })
      assert.include(client?.attributes, {
        "server.address": "127.0.0.1",
        "server.port": origin.port,
        "url.full": `${origin.url}/x?a=1&token=REDACTED`,
        "http.response.status_code": 200,
      })
      assert.isFalse(server?.isError)
      assert.deepStrictEqual(server?.events, ["first_byte"])
      assert.strictEqual(server?.resource["service.name"], "ss-proxy")
    }),
  )

  it.scopedLive("say what went wrong, and count as failed where the client is not to blame", () =>
    Effect.gen(function* () {
      const { ask, collector } = yield* startTraceLab({ script: saying("", "reset") })
      assert.strictEqual((yield* ask(request("GET /app/x"))).status, 502)
      assert.strictEqual((yield* ask(request("GET /nobody/x"))).status, 404)
      yield* collector.has(4)
      const [broken, missing] = [...collector.named("GET /{session_id}")].sort((a, b) => a.start - b.start)
      const [client] = collector.named("GET")
      assert.deepStrictEqual([broken?.isError, broken?.attributes["error.type"]], [true, "downstream_reset"])
      assert.deepStrictEqual([client?.isError, client?.attributes["error.type"]], [true, "downstream_reset"])
      assert.isUndefined(client?.attributes["http.response.status_code"])
      assert.deepStrictEqual([missing?.isError, missing?.attributes["error.type"]], [false, "session_not_found"])
      assert.strictEqual(missing?.attributes["http.response.status_code"], 404)
    }),
  )

  it.scopedLive("have names from a closed list, whatever method a client makes up", () =>
    Effect.gen(function* () {
      const { ask, collector } = yield* startTraceLab()
      yield* ask(request("BREW /app/x"))
      yield* ask(request("GET /health"))
      yield* ask(request("GET /"))
      yield* collector.has(5)
      assert.sameMembers(
        collector.spans.map(({ name }) => name),
        ["HTTP /{session_id}", "HTTP", "dial", "GET /health", "GET"],
      )
      assert.strictEqual(collector.named("HTTP")[0]?.attributes["http.request.method_original"], "BREW")
    }),
  )
})

describe("a trace that came with a request", () => {
  it.scopedLive("is continued, with its tracestate", () =>
    Effect.gen(function* () {
      const { ask, collector, origin } = yield* startTraceLab({ settings: { trustedProxies: loopback } })
      yield* ask(request("GET /app/x", [...from("01"), "tracestate: a=1,b=2"]))
      yield* collector.has(3)
      const [server] = collector.named("GET /{session_id}")
      const [client] = collector.named("GET")
      assert.deepStrictEqual([server?.traceId, server?.parentId], [traceId, parentId])
      const seen = yield* origin.request()
      assert.strictEqual(seen.value("traceparent"), `00-${traceId}-${client?.spanId}-01`)
      assert.strictEqual(seen.value("tracestate"), "a=1,b=2")
    }),
  )

  it.scopedLive("is not recorded where a trusted proxy has not recorded it, and goes on as it came", () =>
    Effect.gen(function* () {
      const { ask, collector, origin } = yield* startTraceLab({ settings: { trustedProxies: loopback } })
      yield* ask(request("GET /app/x", [...from("00"), "tracestate: a=1"]))
      yield* ask(request("GET /app/last"))
      yield* collector.has(2)
      assert.notInclude(
        collector.spans.map((span) => span.traceId),
        traceId,
      )
      const seen = yield* origin.request()
      assert.strictEqual(seen.value("traceparent"), `00-${traceId}-${parentId}-00`)
      assert.strictEqual(seen.value("tracestate"), "a=1")
    }),
  )

  it.scopedLive("begins anew where it is malformed, without its tracestate", () =>
    Effect.gen(function* () {
      const { ask, collector, origin } = yield* startTraceLab()
      yield* ask(request("GET /app/x", ["traceparent: 00-zz-00-01", "tracestate: a=1"]))
      yield* ask(request("GET /app/x", [...from("01"), ...from("01"), "tracestate: a=1"]))
      yield* collector.has(5)
      for (const index of [0, 1]) {
        const seen = yield* origin.request(index)
        assert.match(seen.value("traceparent") ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
        assert.notInclude(seen.value("traceparent") ?? "", traceId)
        assert.isUndefined(seen.value("tracestate"))
      }
    }),
  )

  it.scopedLive("goes on as it came where it is not recorded, and a new one says that it is not", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startTraceLab({ variables: { OTEL_TRACES_SAMPLER: "always_off" } })
      yield* ask(request("GET /app/x", from("01")))
      yield* ask(request("GET /app/x", ["X-Request-Id: mine"]))
      yield* ask(request("GET /app/x", ["traceparent: nonsense"]))
      assert.strictEqual((yield* origin.request(0)).value("traceparent"), `00-${traceId}-${parentId}-01`)
      for (const index of [1, 2])
        assert.match((yield* origin.request(index)).value("traceparent") ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
    }),
  )

  it.scopedLive("is left alone with --trace-context off, and continued all the same", () =>
    Effect.gen(function* () {
      const { ask, collector, origin } = yield* startTraceLab({ settings: { traceContext: "off" } })
      yield* ask(request("GET /app/x", ["traceparent: nonsense", "tracestate: a=1"]))
      yield* ask(request("GET /app/x"))
      yield* ask(request("GET /app/x", from("00")))
      yield* collector.has(7)
      assert.strictEqual((yield* origin.request(0)).value("traceparent"), "nonsense")
      assert.strictEqual((yield* origin.request(0)).value("tracestate"), "a=1")
      assert.isUndefined((yield* origin.request(1)).value("traceparent"))
      assert.strictEqual((yield* origin.request(2)).value("traceparent"), `00-${traceId}-${parentId}-00`)
      assert.include(
        collector.named("GET /{session_id}").map((span) => span.parentId),
        parentId,
      )
    }),
  )
})

describe("a WebSocket", () => {
  it.scopedLive("is a part of the trace of its handshake, which ends when it begins", () =>
    Effect.gen(function* () {
      const lab = yield* startTraceLab({ script: agreeing() })
      const { client } = yield* openThrough(lab, "/ws/app/socket")
      yield* lab.collector.has(3)
      const [handshake] = lab.collector.named("GET /ws/{session_id}")
      assert.strictEqual(handshake?.attributes["http.response.status_code"], 101)
      assert.strictEqual(lab.collector.named("websocket").length, 0)
      client.raw.socket.resetAndDestroy()
      yield* lab.collector.has(4)
      const [socket] = lab.collector.named("websocket")
      assert.deepStrictEqual(
        [socket?.parentId, socket?.traceId, socket?.kind],
        [handshake?.spanId, handshake?.traceId, "internal"],
      )
      assert.isTrue((socket?.start ?? 0) >= (handshake?.start ?? 0) && (socket?.end ?? 0) > (handshake?.end ?? 0))
      assert.include(socket?.attributes, {
        "ss_proxy.session": "app",
        "ss_proxy.websocket.closed_by": "client",
        "ss_proxy.websocket.messages_in": 0,
      })
    }),
  )
})

describe("the lookup of a session", () => {
  it.scopedLive("has a span where it has to be waited for, and none where it is known", () =>
    Effect.gen(function* () {
      const collector = yield* Collector.start()
      const origin = yield* RawOrigin.start(answering(hello))
      const repo = Layer.map(layerMemory([{ id: "app", url: origin.url, status: "active" }]), (context) => {
        const known = Context.get(context, SessionRepo)
        return Context.make(SessionRepo, { ...known, find: (id) => Effect.delay(known.find(id), "20 millis") })
      })
      const hooks = tracerOf({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
      const proxy = yield* startProxy({ repo, settings: { traces: true }, hooks })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/x"))
      yield* collector.has(4)
      yield* client.ask(request("GET /app/x"))
      yield* collector.has(6)
      const [lookup, ...more] = collector.named("lookup")
      assert.deepStrictEqual(more, [])
      const [first] = [...collector.named("GET /{session_id}")].sort((a, b) => a.start - b.start)
      assert.deepStrictEqual([lookup?.parentId, lookup?.kind], [first?.spanId, "internal"])
      assert.isTrue((lookup?.end ?? 0) - (lookup?.start ?? 0) >= 19)
    }),
  )

  it.scopedLive("in SQLite adds no spans of the database's own", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const collector = yield* Collector.start()
      const origin = yield* RawOrigin.start(answering(hello))
      const hooks = tracerOf({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })
      const repo = layerSqlite({ filename: join(folder, "x.db") })
      const proxy = yield* startProxy({ repo, settings: { traces: true }, hooks })
      yield* Effect.orDie(proxy.repo.add({ id: "app", url: origin.url, status: "active" }))
      const client = yield* proxy.connect
      assert.strictEqual((yield* client.ask(request("GET /app/x"))).status, 200)
      yield* collector.has(3)
      yield* Effect.sleep(50)
      assert.sameMembers(
        collector.spans.map(({ name }) => name),
        ["GET /{session_id}", "GET", "dial"],
      )
    }),
  )
})

/** Sends a request so many times on one connection, a hundred at a time. */
const flood = (port: number, text: string, times: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    const socket = connect(port, "127.0.0.1")
    let [sent, answered] = [0, 0]
    const send = (): void => {
      socket.write(text.repeat(100))
      sent += 100
    }
    socket.setEncoding("latin1").on("data", (piece: string) => {
      answered += piece.split("HTTP/1.1 404 ").length - 1
      if (answered >= times) resume(Effect.sync(() => socket.destroy()))
      else if (answered === sent) send()
    })
    send()
  })

describe("a stranger", () => {
  const requests = 10_000

  it.scopedLive("has no say in what is recorded: neither by its flag nor by the trace id that it chose", () =>
    Effect.gen(function* () {
      const variables = {
        OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "0.01",
        OTEL_BSP_SCHEDULE_DELAY: "50",
      }
      const { collector, proxy } = yield* startTraceLab({ variables })
      // By its id alone, this trace would be recorded at any share.
      const low = `traceparent: 00-${"0".repeat(31)}1-${parentId}-01`
      yield* flood(proxy.port, request("GET /nobody/x", [low]), requests)
      yield* proxy.quiet
      yield* collector.has(1)
      yield* Effect.sleep(200)
      const recorded = collector.named("GET /{session_id}").length
      // 100 are expected; the bounds are six standard deviations away.
      assert.isTrue(recorded > 40 && recorded < 160, `${recorded} of ${requests}`)
    }),
  )
})
