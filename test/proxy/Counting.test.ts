import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { seriesIn, valueIn } from "../support/Numbers.js"
import { answering } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { eventually } from "../support/Changes.js"
import { frame } from "../websocket/Frames.js"
import { agreeing, handshake, openThrough } from "../websocket/Tunnel.js"

/** Numbers of a proxy, by the names of their series without `ss_proxy_`. */
const numbersOf = (proxy: TestProxy) =>
  Effect.map(proxy.metrics, (text) => (series: string) => valueIn(text, `ss_proxy_${series}`))

const counts = (proxy: TestProxy, series: string, expected: number) =>
  eventually(
    Effect.map(numbersOf(proxy), (value) => value(series) === expected),
    `${series} ${expected}`,
  )

const requests = (method: string, status: string, cause = ""): string =>
  `http_requests_total{method="${method}",status="${status}",cause="${cause}"}`

describe("a proxy counts", () => {
  it.scopedLive("a request, and where its time and bytes went", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab()
      yield* ask(request("POST /app/x", ["Content-Length: 3"]), "abc")
      yield* counts(proxy, requests("POST", "2xx"), 1)
      const value = yield* numbersOf(proxy)
      assert.strictEqual(value('http_body_bytes_total{direction="in"}'), 3)
      assert.strictEqual(value('http_body_bytes_total{direction="out"}'), 5)
      assert.strictEqual(value("http_requests_in_flight"), 0)
      assert.strictEqual(value("client_connections_total"), 1)
      assert.strictEqual(value('downstream_dials_total{result="ok"}'), 1)
      assert.strictEqual(value('downstream_leases_total{source="new"}'), 1)
      assert.strictEqual(value('downstream_connections{state="idle"}'), 1)
      assert.strictEqual(value('downstream_connections{state="busy"}'), 0)
      assert.strictEqual(value('directory_lookups_total{result="read"}'), 1)
      assert.strictEqual(value('sessions{forwards="true"}'), 1)
      for (const histogram of ["http_first_byte", "downstream_first_byte", "downstream_dial"])
        assert.strictEqual(value(`${histogram}_seconds_count`), 1, histogram)
      assert.strictEqual(value('http_request_duration_seconds_count{status="2xx"}'), 1)
      const total = value('http_request_duration_seconds_sum{status="2xx"}') ?? 0
      const server = value("downstream_first_byte_seconds_sum") ?? 0
      assert.isAbove(server, 0)
      assert.isAbove(total, server)
    }),
  )

  it.scopedLive("what it answers itself, by the code of the answer", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab()
      yield* ask(request("GET /nobody/"))
      yield* ask(request("GET /health"))
      yield* ask(request("TRACE /app/"))
      yield* counts(proxy, requests("GET", "4xx", "session_not_found"), 1)
      yield* counts(proxy, requests("GET", "2xx", "reply"), 1)
      yield* counts(proxy, requests("TRACE", "4xx", "method_not_allowed"), 1)
      yield* counts(proxy, "http_first_byte_seconds_count", 0)
    }),
  )

  it.scopedLive("what never became a request, and logs it", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ settings: { maxHeaderBytes: 200, accessLog: true } })
      yield* ask("nonsense\r\n\r\n")
      yield* ask(request("GET /app/", [`X: ${"x".repeat(300)}`]))
      yield* counts(proxy, 'client_refused_total{cause="bad_request"}', 1)
      yield* counts(proxy, 'client_refused_total{cause="headers_too_large"}', 1)
      const lines = proxy.log.filter((line) => /level=INFO .*message=refused/.test(line))
      for (const text of ["client=127.0.0.1", "status=400", "cause=bad_request", "end=complete"])
        assert.include(lines[0], text)
      for (const text of ["status=431", "cause=headers_too_large"]) assert.include(lines[1], text)
    }),
  )

  it.scopedLive("clients that leave in the midst of a head, and none that leaves between requests", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ settings: { accessLog: true } })
      yield* (yield* proxy.connect).finish
      const kept = yield* proxy.connect
      yield* kept.ask(request("GET /app/"))
      yield* kept.finish
      yield* ask(request("GET /app/", ["Connection: close"]))
      for (const leave of ["finish", "reset"] as const) {
        const client = yield* proxy.connect
        yield* client.send("GET /app/ HTTP/1.1\r\nHost: x")
        // Another's answer tells that this has been read.
        yield* ask(request("GET /app/", ["Connection: close"]))
        yield* client[leave]
      }
      yield* counts(proxy, 'client_refused_total{cause="request_broken"}', 2)
      const lines = proxy.log.filter((line) => /level=INFO .*message=refused/.test(line))
      assert.strictEqual(lines.length, 2)
      for (const text of ["client=127.0.0.1", "status=0", "cause=request_broken", "fault=client", "end=client"])
        for (const line of lines) assert.include(line, text)
    }),
  )

  it.scopedLive("connections that it refuses, answered or not", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings: { maxConnections: 1 } })
      yield* proxy.connect
      const second = yield* proxy.connect
      assert.strictEqual((yield* second.head).status, 503)
      yield* counts(proxy, 'client_refused_total{cause="overloaded"}', 1)
    }),
  )

  it.scopedLive("bytes of an answer that is still on its way, and never twice", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({
        script: (connection) => Effect.zipRight(connection.head, connection.send(response("200 OK", []))),
      })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/"))
      const server = yield* origin.connection(0)
      yield* counts(proxy, "http_responses_streaming", 1)
      yield* server.send("hello")
      yield* counts(proxy, 'http_body_bytes_total{direction="out"}', 5)
      yield* counts(proxy, "http_requests_in_flight", 1)
      yield* server.send("world")
      yield* counts(proxy, 'http_body_bytes_total{direction="out"}', 10)
      yield* server.finish
      yield* counts(proxy, "http_requests_in_flight", 0)
      yield* counts(proxy, "http_responses_streaming", 0)
      yield* counts(proxy, 'http_body_bytes_total{direction="out"}', 10)
      yield* counts(proxy, requests("GET", "2xx"), 1)
    }),
  )

  it.scopedLive("who broke an answer off", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({
        script: (connection) =>
          Effect.zipRight(connection.head, connection.send(response("200 OK", ["Content-Length: 10"]))),
      })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/"))
      const server = yield* origin.connection(0)
      yield* client.head
      yield* server.finish
      yield* counts(proxy, 'http_broken_total{by="server"}', 1)
      const other = yield* proxy.connect
      yield* other.send(request("GET /app/"))
      yield* other.head
      other.socket.destroy()
      yield* counts(proxy, 'http_broken_total{by="client"}', 1)
    }),
  )

  it.scopedLive("a WebSocket while it is open, and how it ended", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const { client, server } = yield* openThrough(lab)
      const { proxy } = lab
      yield* counts(proxy, "websockets_open", 1)
      yield* counts(proxy, 'websocket_handshakes_total{result="switched"}', 1)
      yield* counts(proxy, "http_requests_in_flight", 0)
      yield* counts(proxy, 'downstream_connections{state="busy"}', 0)
      yield* counts(proxy, 'downstream_connections{state="websocket"}', 1)
      yield* client.raw.send(frame(1, "hello", { masked: true }))
      yield* counts(proxy, 'websocket_messages_total{direction="in"}', 1)
      yield* counts(proxy, 'websocket_bytes_total{direction="in"}', 11)
      yield* server.raw.send(frame(9, "ping"))
      yield* counts(proxy, 'websocket_bytes_total{direction="out"}', 6)
      yield* client.raw.send(frame(8, Buffer.from([0x0f, 0xa1]), { masked: true }))
      yield* server.raw.finish
      yield* client.raw.finish
      yield* counts(proxy, 'websocket_closed_total{code="4xxx",by="client"}', 1)
      yield* counts(proxy, "websockets_open", 0)
      yield* counts(proxy, "websocket_duration_seconds_count", 1)
      yield* counts(proxy, 'websocket_bytes_total{direction="in"}', 19)
      yield* counts(proxy, 'websocket_messages_total{direction="out"}', 0)
      yield* counts(proxy, requests("GET", "1xx"), 0)
    }),
  )

  it.scopedLive("handshakes that came to nothing", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ script: answering(answer("401 Unauthorized", "no")) })
      yield* ask(handshake())
      yield* counts(proxy, 'websocket_handshakes_total{result="refused"}', 1)
      yield* ask(handshake("/nobody/socket"))
      yield* counts(proxy, 'websocket_handshakes_total{result="refused"}', 2)
      const lonely = yield* startProxy({ sessions: { app: "http://127.0.0.1:1" } })
      const client = yield* lonely.connect
      yield* client.ask(handshake())
      yield* counts(lonely, 'websocket_handshakes_total{result="failed"}', 1)
      yield* counts(lonely, 'downstream_dials_total{result="refused"}', 1)
      yield* counts(lonely, requests("GET", "5xx", "downstream_unreachable"), 1)
    }),
  )

  it.scopedLive("in as many series as before, whatever clients make up", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab()
      yield* ask(request("GET /app/"))
      const before = seriesIn(yield* proxy.metrics)
      const made = Array.from({ length: 10_000 }, (_, index) =>
        request(`M${index} /s${index}/`, [`User-Agent: agent-${index}`, `X-${index}: ${index}`]),
      )
      const client = yield* proxy.connect
      for (let from = 0; from < made.length; from += 500) {
        yield* client.send(made.slice(from, from + 500).join(""))
        yield* counts(proxy, requests("_OTHER", "4xx", "session_not_found"), from + 500)
      }
      assert.deepStrictEqual(seriesIn(yield* proxy.metrics), before)
    }),
  )

  it.scopedLive("a request that waited for a connection", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ settings: { maxDownstreamConnections: 1 } })
      yield* Effect.all([ask(request("GET /app/1")), ask(request("GET /app/2"))], { concurrency: 2 })
      yield* counts(proxy, "downstream_queue_seconds_count", 1)
      yield* counts(proxy, "downstream_queue_waiting", 0)
      yield* counts(proxy, 'downstream_leases_total{source="pool"}', 1)
    }),
  )

  it.scopedLive("lifetimes of sessions that end", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab()
      yield* ask(request("GET /app/"))
      yield* proxy.repo.remove("app")
      yield* eventually(
        Effect.map(ask(request("GET /app/")), ({ status }) => status === 404),
        "the session to be gone",
      )
      yield* counts(proxy, 'sessions_ended_total{reason="removed"}', 1)
      yield* counts(proxy, 'directory_lookups_total{result="missing"}', 1)
      yield* counts(proxy, "directory_refreshes_total", 1)
    }),
  )

  it.scopedLive("for itself: two proxies in one process have numbers of their own", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab()
      const other = yield* startProxy({})
      yield* ask(request("GET /app/"))
      yield* counts(proxy, requests("GET", "2xx"), 1)
      yield* counts(other, requests("GET", "2xx"), 0)
    }),
  )
})
