import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { gunzipSync } from "node:zlib"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { eventually } from "../support/Changes.js"
import { fairNow } from "../support/FairClock.js"
import { bareRequest, chunk, request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { valueIn } from "../support/Numbers.js"
import { RawClient } from "../support/RawClient.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { handshakeFields } from "../websocket/Tunnel.js"
import { startAdminLab, writeToken } from "./AdminLab.js"

const settings = { adminPort: 0, adminHosts: ["proxy.test"] } as const

const connectTo = ({ adminPort = 0 }: TestProxy) => RawClient.connect(adminPort)

/** Asks the admin listener of a proxy, on a new connection. */
const askAdmin = (proxy: TestProxy, ...pieces: ReadonlyArray<string>) =>
  Effect.flatMap(connectTo(proxy), (client) => client.ask(...pieces))

describe("the admin listener", () => {
  it.scopedLive("shows what Prometheus scrapes, and counts who asks", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ settings })
      yield* ask(request("GET /app/"))
      yield* askAdmin(proxy, request("GET /metrics"))
      const scraped = yield* askAdmin(proxy, request("GET /metrics?x"))
      assert.strictEqual(scraped.status, 200)
      assert.strictEqual(scraped.value("content-type"), "text/plain; version=0.0.4; charset=utf-8")
      assert.strictEqual(valueIn(scraped.text, 'ss_proxy_http_requests_total{method="GET",status="2xx",cause=""}'), 1)
      assert.strictEqual(valueIn(scraped.text, 'ss_proxy_admin_requests_total{route="/metrics",status="2xx"}'), 1)
    }),
  )

  it.scopedLive("shows it compressed to who takes that, as Prometheus does", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const zipped = yield* askAdmin(proxy, request("GET /metrics", ["Accept-Encoding: gzip"]))
      assert.deepStrictEqual(
        [zipped.value("content-encoding"), zipped.value("vary"), zipped.value("content-length")],
        ["gzip", "Accept-Encoding", String(zipped.body.byteLength)],
      )
      assert.strictEqual(valueIn(gunzipSync(zipped.body).toString(), "ss_proxy_client_connections_total"), 0)
      for (const encoding of ["identity", "gzip;q=0", "br"]) {
        const plain = yield* askAdmin(proxy, request("GET /metrics", [`Accept-Encoding: ${encoding}`]))
        assert.isUndefined(plain.value("content-encoding"))
        assert.isAbove(plain.body.byteLength, 5 * zipped.body.byteLength)
      }
      const small = yield* askAdmin(proxy, request("GET /livez", ["Accept-Encoding: gzip"]))
      assert.isUndefined(small.value("content-encoding"))
    }),
  )

  it.scopedLive("is not there unless it is asked for", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      assert.isUndefined(proxy.adminPort)
    }),
  )

  it.scopedLive("answers HEAD without a body, and nothing but GET and HEAD", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const head = yield* askAdmin(proxy, request("HEAD /livez"))
      assert.deepStrictEqual([head.status, head.text], [200, ""])
      for (const method of ["POST", "OPTIONS", "DELETE", "PUT"]) {
        const refused = yield* askAdmin(proxy, request(`${method} /metrics`, ["Content-Length: 0"]))
        assert.deepStrictEqual([refused.status, refused.value("allow")], [405, "GET, HEAD"])
      }
      const missing = yield* askAdmin(proxy, request("GET /nothing"))
      assert.strictEqual(missing.status, 404)
      assert.include(missing.text, '"code":"not_found"')
    }),
  )

  it.scopedLive("keeps out names and pages of others, and sends no field of CORS", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const rebound = yield* askAdmin(proxy, bareRequest("GET /metrics", ["Host: evil.example"]))
      assert.strictEqual(rebound.status, 421)
      assert.include(rebound.text, '"code":"host_forbidden"')
      const page = yield* askAdmin(proxy, request("GET /metrics", ["Origin: https://evil.example"]))
      assert.strictEqual(page.status, 403)
      assert.notMatch(page.names.join(), /access-control/i)
      assert.strictEqual((yield* askAdmin(proxy, bareRequest("GET /livez"))).status, 400)
      const twice = bareRequest("GET /livez", ["Host: localhost", "Host: localhost"])
      assert.strictEqual((yield* askAdmin(proxy, twice)).status, 400)
    }),
  )

  it.scopedLive("sees a second Host behind any number of other lines", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const lines = ["Host: localhost", ...Array.from({ length: 2_500 }, () => "a:"), "Host: localhost"]
      assert.strictEqual((yield* askAdmin(proxy, bareRequest("GET /livez", lines))).status, 400)
    }),
  )

  it.scopedLive("takes a head of 16 KiB at most, also one that never ends", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const large = yield* askAdmin(proxy, request("GET /livez", [`X: ${"x".repeat(20_000)}`]))
      assert.strictEqual(large.status, 431)
      assert.include(large.text, '"code":"headers_too_large"')
      const endless = yield* connectTo(proxy)
      yield* endless.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n")
      const line = `X: ${"x".repeat(8_000)}\r\n`
      const sending = yield* Effect.fork(Effect.forever(endless.send(line)))
      yield* endless.gone
      yield* Fiber.interrupt(sending)
    }),
  )

  it.scopedLive("takes no more than a little of a body that it does not want, and then lets go", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const flood = (line: string) =>
        Effect.gen(function* () {
          const client = yield* connectTo(proxy)
          yield* client.send(request(line, ["Content-Type: application/json", "Transfer-Encoding: chunked"]))
          const pieces = Array.from({ length: 2_000 }, () => chunk("x".repeat(60_000)))
          const sending = yield* Effect.fork(client.send(...pieces))
          assert.include([200, 401, 405], (yield* client.head).status)
          yield* client.gone
          yield* Fiber.interrupt(sending)
          assert.isBelow(client.socket.bytesWritten, 50_000_000)
        })
      yield* Effect.forEach(["POST /livez", "PUT /v1/sessions/app", "GET /metrics"], flood, {
        concurrency: "unbounded",
        discard: true,
      })
      const small = yield* connectTo(proxy)
      const head = request("POST /livez", ["Content-Length: 3"])
      for (let turn = 0; turn < 3; turn++) assert.strictEqual((yield* small.ask(head, "abc")).status, 405)
    }),
  )

  it.scopedLive("answers what is no HTTP", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const answer = yield* askAdmin(proxy, "\x16\x03\x01\x02\r\n\r\n")
      assert.strictEqual(answer.status, 400)
      assert.include(answer.text, '"code":"bad_request"')
    }),
  )

  it.scopedLive("survives an upgrade that is reset", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const answered = yield* askAdmin(proxy, request("GET /livez", handshakeFields))
      assert.strictEqual(answered.status, 200)
      for (const target of ["/livez", "/metrics", "/nothing"]) {
        const client = yield* connectTo(proxy)
        yield* client.send(request(`GET ${target}`, handshakeFields))
        yield* client.reset
      }
      const tunnel = yield* connectTo(proxy)
      yield* tunnel.send(bareRequest("CONNECT localhost:1", ["Host: localhost"]))
      yield* tunnel.gone
      assert.strictEqual((yield* askAdmin(proxy, request("GET /livez"))).status, 200)
    }),
  )

  it.scopedLive("is no way in for sessions: one that names it is answered 508", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({ settings })
      for (const host of ["127.0.0.1", "localhost"]) {
        yield* proxy.repo.put({ id: host, url: `http://${host}:${proxy.adminPort}/`, status: "active" })
        const client = yield* proxy.connect
        const answer = yield* client.ask(request(`GET /${host}/metrics`))
        assert.strictEqual(answer.status, 508, host)
      }
    }),
  )

  it.scopedLive(
    "answers requests in a row, but cuts who sends hundreds without a wait: each would hold an answer",
    () =>
      Effect.gen(function* () {
        const { proxy } = yield* startLab({ settings })
        const polite = yield* connectTo(proxy)
        yield* polite.send(request("GET /livez").repeat(4))
        for (let turn = 0; turn < 4; turn++) assert.strictEqual((yield* polite.response()).status, 200)
        assert.strictEqual((yield* polite.ask(request("GET /livez"))).status, 200)
        for (let turn = 0; turn < 10; turn++) {
          const greedy = yield* connectTo(proxy)
          yield* greedy.send(request("GET /metrics").repeat(1_000))
          yield* greedy.gone
        }
        const scraped = yield* askAdmin(proxy, request("GET /metrics"))
        const counted = valueIn(scraped.text, 'ss_proxy_admin_requests_total{route="/metrics",status="2xx"}') ?? 0
        assert.isAtMost(counted, 40)
      }),
  )

  it.scopedLive("lets a scraper in, however many connections are held open", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      const scraper = yield* connectTo(proxy)
      assert.strictEqual((yield* scraper.ask(request("GET /metrics"))).status, 200)
      const silent = yield* connectTo(proxy)
      for (let turn = 0; turn < 3; turn++) {
        const idle = yield* Effect.forEach(Array.from({ length: 62 }), () => connectTo(proxy))
        for (const client of idle) yield* client.send("GET /livez HTTP/1.1\r\nHost: loc")
        assert.strictEqual((yield* scraper.ask(request("GET /metrics"))).status, 200)
        assert.strictEqual((yield* askAdmin(proxy, request("GET /metrics"))).status, 200)
      }
      yield* silent.gone
    }),
  )

  it.scopedLive("answers a call to its end, however many connections are opened meanwhile", () =>
    Effect.gen(function* () {
      const { adminPort, adminSocket } = yield* startAdminLab()
      const line = '{"id":"new","url":"http://localhost:1"}'
      const head = request("POST /v1/import", [
        `Authorization: Bearer ${writeToken}`,
        "Content-Type: application/x-ndjson",
        `Content-Length: ${line.length}`,
        "Expect: 100-continue",
      ])
      for (const connect of [RawClient.connect(adminPort), RawClient.connectToPath(adminSocket)]) {
        const importing = yield* connect
        yield* importing.send(head)
        yield* importing.seen("100 Continue")
        yield* Effect.forEach(Array.from({ length: 70 }), () => connect)
        const others = yield* connect
        yield* others.ask(request("GET /livez"))
        assert.isFalse(importing.isOver)
        yield* importing.send(line)
        yield* importing.seen(`"failed":`)
      }
    }),
  )

  it.scopedLive(
    "takes 64 connections; a thousand that send nothing do not slow the proxy down",
    () =>
      Effect.gen(function* () {
        const { ask, proxy } = yield* startLab({ settings })
        const open = Effect.forEach(
          Array.from({ length: 1_000 }),
          () => Effect.tap(connectTo(proxy), (client) => client.send("GET /livez HTTP/1.1\r\nHost: loc")),
          { concurrency: 50 },
        )
        const clients = yield* open
        yield* eventually(
          Effect.sync(() => clients.filter(({ isOver }) => !isOver).length <= 64),
          "all but 64 to be closed",
        )
        assert.strictEqual(clients.filter(({ isOver }) => !isOver).length, 64)
        const begun = fairNow()
        for (let turn = 0; turn < 50; turn++) assert.strictEqual((yield* ask(request("GET /app/"))).status, 200)
        assert.isBelow((fairNow() - begun) / 50, 50)
      }),
    40_000,
  )
})

describe("the probes", () => {
  it.scopedLive("say ok, and why with ?verbose", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ settings })
      for (const path of ["/livez", "/readyz"]) {
        const answer = yield* askAdmin(proxy, request(`GET ${path}`))
        assert.deepStrictEqual([answer.status, answer.text], [200, "ok\n"])
      }
      const verbose = yield* askAdmin(proxy, request("GET /readyz?verbose"))
      assert.strictEqual(verbose.text, "[+] listening\n[+] not draining\n[+] store readable\nok\n")
    }),
  )

  it.scopedLive("of readiness fails while the proxy drains, when the listener still answers", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings, script: ({ head }) => Effect.asVoid(head) })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/"))
      yield* origin.connection(0)
      const draining = yield* Effect.fork(proxy.server.drain)
      yield* eventually(
        Effect.map(Effect.scoped(askAdmin(proxy, request("GET /readyz"))), ({ status }) => status === 503),
        "not ready",
      )
      const verbose = yield* askAdmin(proxy, request("GET /readyz?verbose"))
      assert.strictEqual(verbose.text, "[+] listening\n[-] not draining\n[+] store readable\nfailed\n")
      assert.strictEqual((yield* askAdmin(proxy, request("GET /livez"))).status, 200)
      const scraped = yield* askAdmin(proxy, request("GET /metrics"))
      assert.strictEqual(valueIn(scraped.text, "ss_proxy_draining"), 1)
      yield* client.reset
      yield* Fiber.join(draining)
    }),
  )

  it.scopedLive("of readiness fails once the store could not be read, until it can be", () =>
    Effect.gen(function* () {
      let isLost = false
      const lost = new StoreUnavailable({ problem: "the disk is gone", hint: "" })
      const repo = Layer.effect(
        SessionRepo,
        Effect.map(SessionRepo, (inner) => ({
          ...inner,
          version: () => (isLost ? Effect.fail(lost) : inner.version()),
          find: (id: string) => (isLost ? Effect.fail(lost) : inner.find(id)),
        })),
      ).pipe(Layer.provide(layerMemory([])))
      const proxy = yield* startProxy({ settings, repo })
      const readiness = Effect.map(askAdmin(proxy, request("GET /readyz")), ({ status, text }) => `${status} ${text}`)
      const ask = Effect.flatMap(proxy.connect, (client) => client.ask(request("GET /app/")))
      assert.strictEqual((yield* ask).status, 404)
      isLost = true
      assert.strictEqual(yield* readiness, "200 ok\n")
      yield* Effect.sleep(5)
      assert.strictEqual((yield* ask).status, 503)
      assert.strictEqual(yield* readiness, "503 not ready; what does not hold: store readable\n")
      isLost = false
      // Nobody sends requests to a proxy that is not ready: it has to find out by itself.
      yield* eventually(
        Effect.map(Effect.scoped(readiness), (text) => text === "200 ok\n"),
        "ready again",
      )
      assert.strictEqual((yield* ask).status, 404)
    }),
  )
})
