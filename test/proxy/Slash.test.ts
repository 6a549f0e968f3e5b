import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { SessionPolicy } from "../../src/domain/SessionPolicy.js"
import { request } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { openWs } from "../support/WsPeer.js"
import { WsOrigin } from "../support/WsOrigin.js"

/** What a browser sends for a page. */
const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

interface Given {
  readonly id?: string
  readonly base?: string
  readonly policy?: Partial<SessionPolicy>
  readonly settings?: Partial<ProxySettings>
}

const startSlash = ({ base = "", id = "app", policy = {}, settings = {} }: Given = {}) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(answering(hello))
    const proxy = yield* startProxy({ settings })
    yield* proxy.repo.add({ id, url: origin.url + base, status: "active", policy })
    const ask = (line: string, lines: ReadonlyArray<string> = [browser]) =>
      Effect.flatMap(proxy.connect, (client) => client.ask(request(line, lines)))
    /** Where a browser is sent; `undefined` where its request goes on. */
    const location = (target: string, lines?: ReadonlyArray<string>) =>
      Effect.map(ask(`GET ${target}`, lines), (reply) => (reply.status === 308 ? reply.value("location") : undefined))
    return { origin, proxy, ask, location }
  })

/** Where a browser goes from `from`. */
const resolved = (location: string | undefined, from: string): string => new URL(location ?? "", from).href

describe("a browser that asks for a session without a slash behind its id", () => {
  it.scopedLive("is sent to the same with a slash, its query kept, by an answer of the proxy's own", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startSlash()
      const reply = yield* ask("GET /app?a=1&b=%2F", [browser, "X-Request-Id: order-17"])
      assert.deepStrictEqual([reply.status, reply.text], [308, ""])
      assert.strictEqual(reply.value("location"), "/app/?a=1&b=%2F")
      assert.strictEqual(reply.value("x-request-id"), "order-17")
      assert.strictEqual(reply.value("cache-control"), "no-store")
      assert.strictEqual(reply.value("vary"), "Accept")
      assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=proxy_internal_response")
      assert.isDefined(reply.value("date"))
      const head = yield* ask("HEAD /app")
      assert.deepStrictEqual([head.status, head.value("location")], [308, "/app/"])
      assert.strictEqual(origin.text, "")
    }),
  )

  it.scopedLive("is one that names text/html, and nothing else is", () =>
    Effect.gen(function* () {
      const { ask, location } = yield* startSlash()
      for (const accept of ["text/html", "*/*, TEXT/HTML;level=1;q=0.1", "application/json,text/html"])
        assert.strictEqual(yield* location("/app", [`Accept: ${accept}`]), "/app/", accept)
      for (const accept of ["*/*", "text/*", "text/html;q=0", "text/html;q=0.0", "application/json", "text/htmlx", ""])
        assert.isUndefined(yield* location("/app", [`Accept: ${accept}`]), accept)
      assert.isUndefined(yield* location("/app", []))
      for (const method of ["POST", "PUT", "OPTIONS", "DELETE", "get"])
        assert.strictEqual((yield* ask(`${method} /app`)).status, 200, method)
      for (const target of ["/app/", "/app/x", "/app//?x"]) assert.isUndefined(yield* location(target), target)
    }),
  )

  it.scopedLive("is only sent where that session is there and takes requests", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startSlash()
      assert.strictEqual((yield* ask("GET /nobody")).status, 404)
      yield* proxy.repo.set("app", { status: "stopped" })
      yield* Effect.sleep(10)
      assert.strictEqual((yield* ask("GET /app")).status, 503)
    }),
  )

  it.scopedLive(
    "asks the server itself where the stored path ends without a slash, unless the policy says redirect",
    () =>
      Effect.gen(function* () {
        const { location, origin, proxy } = yield* startSlash({ base: "/base" })
        assert.isUndefined(yield* location("/app?q"))
        assert.strictEqual((yield* origin.request()).target, "/base?q")
        yield* proxy.repo.set("app", { policy: { slash: "redirect" } })
        yield* Effect.sleep(10)
        assert.strictEqual(yield* location("/app?q"), "/app/?q")
        yield* proxy.repo.set("app", { url: `${origin.url}/base/`, policy: { slash: null } })
        yield* Effect.sleep(10)
        assert.strictEqual(yield* location("/app?q"), "/app/?q")
        yield* proxy.repo.set("app", { policy: { slash: "off" } })
        yield* Effect.sleep(10)
        assert.isUndefined(yield* location("/app?q"))
      }),
  )

  it.scopedLive("is never sent with path=keep, nor where the flag is off for all", () =>
    Effect.gen(function* () {
      const keeping = yield* startSlash({ policy: { path: "keep", slash: "redirect" } })
      assert.isUndefined(yield* keeping.location("/app"))
      assert.strictEqual((yield* keeping.origin.request()).target, "/app")
      const off = yield* startSlash({ settings: { slash: "off" } })
      assert.isUndefined(yield* off.location("/app"))
      const forced = yield* startSlash({ base: "/base", settings: { slash: "redirect" } })
      assert.strictEqual(yield* forced.location("/app"), "/app/")
    }),
  )

  it.scopedLive("stays on the host, whatever the id is", () =>
    Effect.gen(function* () {
      for (const [id, target, expected] of [
        ["/evil.test", "/%2Fevil.test", "/%2Fevil.test/"],
        ["\\evil.test", "/\\evil.test", "/%5Cevil.test/"],
        ["\\evil.test", "/%5cevil.test?\\", "/%5cevil.test/?%5C"],
        ["http:", "/http:", "/http:/"],
        ["café", "/caf\xc3\xa9", "/caf%C3%A9/"],
        ["a b", "/a%20b", "/a%20b/"],
        ["@evil.test", "/@evil.test", "/@evil.test/"],
        ["app", "http://evil.test/app", "/app/"],
        ["app", "http://evil.test/app?//x", "/app/?//x"],
      ] as const) {
        const { location } = yield* startSlash({ id })
        const found = yield* location(target)
        assert.strictEqual(found, expected)
        assert.match(resolved(found, "http://proxy.test/x/y"), /^http:\/\/proxy\.test\//)
      }
      const { ask } = yield* startSlash({ id: "evil.test" })
      for (const target of ["//evil.test", "/\\/evil.test", "///evil.test"])
        assert.strictEqual((yield* ask(`GET ${target}`)).status, 404, target)
    }),
  )

  it.scopedLive("is sent behind the prefix that a trusted proxy in front has removed, and no other", () =>
    Effect.gen(function* () {
      const trusted = yield* startSlash({ settings: { trustedProxies: ["127.0.0.1"] } })
      for (const [prefix, expected] of [
        ["/proxy", "/proxy/app/"],
        ["/a/b/", "/a/b/app/"],
        ["//evil.test", "/app/"],
        ["/\\evil.test", "/app/"],
        ["http://evil.test", "/app/"],
        ["/", "/app/"],
      ] as const)
        assert.strictEqual(yield* trusted.location("/app", [browser, `X-Forwarded-Prefix: ${prefix}`]), expected)
      const plain = yield* startSlash()
      assert.strictEqual(yield* plain.location("/app", [browser, "X-Forwarded-Prefix: /proxy"]), "/app/")
    }),
  )

  it.scopedLive("is counted and logged for its session, as an answer of the proxy", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startSlash({ settings: { accessLog: true } })
      yield* ask("GET /app")
      yield* proxy.quiet
      const line = proxy.log.find((line) => line.includes("status=308")) ?? ""
      assert.match(line, /session=app\b/)
      assert.match(yield* proxy.metrics, /ss_proxy_http_requests_total\{method="GET",status="3xx",[^}]*\} 1\n/)
    }),
  )

  it.scopedLive("is not one that opens a WebSocket", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const peer = yield* openWs(`${proxy.url}/app`, { headers: { Accept: "text/html" } })
      peer.socket.close(1000)
      yield* peer.closed
      assert.strictEqual(origin.handshakes[0]?.url, "/")
    }),
  )
})
