import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Authority } from "../support/Certificates.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { request } from "../support/HttpText.js"
import { RawOrigin, silent } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { isInstalled } from "../support/Tool.js"
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

  it.scopedLive("is the proxy's own answer of 508 where the address is that of the proxy itself", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({})
      yield* proxy.repo.put({ id: "app", url: `${proxy.url}/app`, status: "active" })
      assert.strictEqual((yield* ask(proxy)).status, 508)
    }),
  )
})

describe.skipIf(!isInstalled("openssl"))("a session whose server speaks TLS", () => {
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
