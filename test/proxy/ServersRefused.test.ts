import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Authority } from "../support/Certificates.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { request } from "../support/HttpText.js"
import { RawClient } from "../support/RawClient.js"
import { RawOrigin, silent } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { openWs, refusedWs } from "../support/WsPeer.js"

const ask = (proxy: TestProxy, target = "/app/x") =>
  Effect.flatMap(proxy.connect, (client) => client.ask(request(`GET ${target}`, ["X-Request-Id: req-17"])))

/** Checks that a client is told the kind of the error, and the log alone the rest. */
const assertRefused = (proxy: TestProxy, reply: HttpMessage, token: string, secrets: ReadonlyArray<string>): void => {
  assert.strictEqual(reply.status, 502, reply.text)
  assert.include(reply.text, '"code":"downstream_unreachable"')
  assert.strictEqual(reply.value("proxy-status"), `ss-proxy; error=${token}`)
  const shown = [reply.startLine, ...reply.fields.map((pair) => pair.join(": ")), reply.text].join("\n")
  const logged = proxy.log.filter((line) => line.includes("req-17")).join("\n")
  for (const secret of secrets) {
    assert.notInclude(shown, secret)
    assert.include(logged, secret)
  }
}

describe("a session whose server has an address that is denied", () => {
  for (const [url, address] of [
    ["http://169.254.169.254/latest/meta-data", "169.254.169.254:80"],
    ["https://169.254.169.254:8443", "169.254.169.254:8443"],
    ["http://[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]:80"],
    ["http://[fe80::1]:9000", "[fe80::1]:9000"],
    ["http://0.0.0.0:9000", "0.0.0.0:9000"],
  ] as const)
    it.scopedLive(`is answered with 502 destination_ip_prohibited: ${url}`, () =>
      Effect.gen(function* () {
        const proxy = yield* startProxy({ sessions: { app: url } })
        assertRefused(proxy, yield* ask(proxy), "destination_ip_prohibited", [address])
      }),
    )

  it.scopedLive("is not connected to, neither by requests nor by WebSockets; others go on", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(silent)
      const proxy = yield* startProxy({
        sessions: { app: origin.url, named: `localhost:${origin.port}` },
        settings: { denyDownstream: ["127.0.0.0/8", "::1"] },
      })
      assertRefused(proxy, yield* ask(proxy), "destination_ip_prohibited", [origin.authority, "127.0.0.0/8"])
      assertRefused(proxy, yield* ask(proxy, "/named/x"), "destination_ip_prohibited", ["127.0.0.1 may not be reached"])
      const refused = yield* refusedWs(`${proxy.url}/ws/app`)
      assert.deepStrictEqual([refused.status, refused.opened], [502, false])
      assert.strictEqual(refused.headers["proxy-status"], "ss-proxy; error=destination_ip_prohibited")
      assert.strictEqual(origin.connections.length, 0)
    }),
  )
})

describe("a session whose server is the proxy itself", () => {
  /** How many exchanges the proxy had: one that came back to it is one more. */
  const exchanges = (proxy: TestProxy) => proxy.log.filter((line) => line.includes("message=request ")).length

  for (const [host, names] of [
    ["127.0.0.1", ["127.0.0.1", "localhost", "0x7f000001"]],
    ["0.0.0.0", ["127.0.0.1", "127.9.9.9", "localhost", "[::ffff:127.0.0.1]"]],
  ] as const)
    it.scopedLive(`is answered with 508 without a turn through the listener at ${host}`, () =>
      Effect.gen(function* () {
        const proxy = yield* startProxy({ settings: { host, accessLog: true } })
        const connect = RawClient.connect(proxy.port)
        for (const [index, name] of names.entries()) {
          const id = `app${index}`
          yield* proxy.repo.put({ id, url: `http://${name}:${proxy.port}`, status: "active" })
          const before = exchanges(proxy)
          // The proxy would answer the second by itself, if it came back.
          for (const target of [`/${id}/${id}/x`, `/${id}/health`]) {
            const reply = yield* Effect.flatMap(connect, (client) =>
              client.ask(request(`GET ${target}`, ["X-Request-Id: req-17"])),
            )
            assert.strictEqual(reply.status, 508, name)
            assert.include(reply.text, '"code":"loop_detected"')
            assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=proxy_loop_detected")
            assert.notInclude(reply.text, String(proxy.port))
          }
          const refused = yield* refusedWs(`ws://127.0.0.1:${proxy.port}/ws/${id}`)
          assert.deepStrictEqual([refused.status, refused.opened], [508, false])
          yield* proxy.quiet
          assert.strictEqual(exchanges(proxy) - before, 3)
        }
      }),
    )

  it.scopedLive("is refused as an address that is denied where it is one: that is looked at first", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({ settings: { denyDownstream: ["127.0.0.0/8"] } })
      yield* proxy.repo.put({ id: "app", url: proxy.url, status: "active" })
      assertRefused(proxy, yield* ask(proxy), "destination_ip_prohibited", ["127.0.0.0/8"])
    }),
  )

  it.scopedLive("is another server where it is another proxy in the same process", () =>
    Effect.gen(function* () {
      const inner = yield* startProxy({})
      const outer = yield* startProxy({ sessions: { app: inner.url } })
      const reply = yield* ask(outer, "/app/health")
      assert.deepStrictEqual([reply.status, reply.text], [200, "OK"])
    }),
  )
})

describeUnless(lacking("openssl"))("a session whose server speaks TLS", () => {
  for (const [scheme, host] of [
    ["https", "127.0.0.1"],
    ["wss", "localhost"],
  ] as const)
    it.scopedLive(`has its requests and WebSockets passed on: ${scheme}://${host}`, () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const origin = yield* TlsOrigin.start(yield* authority.issue())
        const proxy = yield* startProxy({
          sessions: { app: origin.url(host, scheme) },
          settings: { downstreamCa: authority.cert },
        })
        const reply = yield* ask(proxy)
        assert.deepStrictEqual([reply.status, reply.text], [200, "hello"])
        const peer = yield* openWs(`${proxy.url}/ws/app`)
        for (const text of ["one", "x".repeat(100_000)]) {
          peer.socket.send(text)
          assert.strictEqual(yield* peer.message, text)
        }
        peer.socket.close(1000, "enough")
        assert.deepStrictEqual(yield* peer.closed, { code: 1000, reason: "enough" })
        assert.deepStrictEqual(origin.targets, ["/x", "/app"])
      }),
    )

  it.scopedLive("is answered with 502 tls_certificate_error where the certificate is not trusted", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const origin = yield* TlsOrigin.start(yield* authority.issue())
      const proxy = yield* startProxy({ sessions: { app: origin.url() } })
      assertRefused(proxy, yield* ask(proxy), "tls_certificate_error", [String(origin.port), "unable to verify"])
      const refused = yield* refusedWs(`${proxy.url}/ws/app`)
      assert.deepStrictEqual([refused.status, refused.opened], [502, false])
      assert.deepStrictEqual(origin.targets, [])
    }),
  )
})
