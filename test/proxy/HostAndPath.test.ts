import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { SessionPolicy } from "../../src/domain/SessionPolicy.js"
import { Authority } from "../support/Certificates.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { answer, bareRequest, request } from "../support/HttpText.js"
import { hello } from "../support/Lab.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs, refusedWs } from "../support/WsPeer.js"

/** As tornado's default check, Django's and others': a page of another origin has nothing to say here. */
const isForeign = ({ headers }: IncomingMessage): boolean =>
  headers.origin !== undefined && new URL(headers.origin).host !== headers.host

const startStrict = WsOrigin.start({
  refuse: (asked) => (isForeign(asked) ? answer("403 Forbidden", "cross origin") : undefined),
  listener: (asked, response) => response.writeHead(isForeign(asked) ? 403 : 200).end(),
})

const inForce = Effect.sleep(10)

const ask = (proxy: TestProxy, text: string) => Effect.flatMap(proxy.connect, (client) => client.ask(text))

describe("a server that compares Origin with Host", () => {
  it.scopedLive("takes requests and WebSockets of its own page once the session has host=client", () =>
    Effect.gen(function* () {
      const origin = yield* startStrict
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const fields = [`Host: localhost:${proxy.port}`, `Origin: http://localhost:${proxy.port}`]
      const post = Effect.map(ask(proxy, bareRequest("GET /app/x", fields)), ({ status }) => status)
      const options = { headers: { Host: `localhost:${proxy.port}`, Origin: `http://localhost:${proxy.port}` } }
      assert.strictEqual(yield* post, 403)
      assert.strictEqual((yield* refusedWs(`${proxy.url}/app/socket`, options)).status, 403)
      yield* proxy.repo.set("app", { policy: { host: "client" } })
      yield* inForce
      assert.strictEqual(yield* post, 200)
      for (const path of ["/app/socket", "/ws/app"]) {
        const peer = yield* openWs(proxy.url + path, options)
        peer.socket.close(1000)
        yield* peer.closed
      }
      yield* proxy.repo.set("app", { policy: { host: null } })
      yield* inForce
      assert.strictEqual(yield* post, 403)
    }),
  )

  it.scopedLive("takes them on the session's own name as it is, and not with host=server", () =>
    Effect.gen(function* () {
      const origin = yield* startStrict
      const proxy = yield* startProxy({ sessions: { app: origin.url }, settings: { sessionHosts: ["localhost"] } })
      const name = `app.localhost:${proxy.port}`
      const options = { headers: { Host: name, Origin: `http://${name}` } }
      const peer = yield* openWs(`${proxy.url}/socket`, options)
      peer.socket.close(1000)
      yield* peer.closed
      yield* proxy.repo.set("app", { policy: { host: "server" } })
      yield* inForce
      assert.strictEqual((yield* refusedWs(`${proxy.url}/socket`, options)).status, 403)
    }),
  )
})

/** What the server got for a request, with this policy and these settings. */
const seenBy = (
  text: string,
  {
    base = "",
    policy = {},
    settings = {},
  }: {
    readonly base?: string
    readonly policy?: Partial<SessionPolicy>
    readonly settings?: Partial<ProxySettings>
  },
) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(answering(hello))
    const proxy = yield* startProxy({ settings })
    yield* proxy.repo.add({ id: "al ice", url: origin.url + base, status: "active", policy })
    assert.strictEqual((yield* ask(proxy, text)).status, 200)
    const { startLine, value } = yield* Effect.map(origin.request(), (seen) => ({
      startLine: seen.startLine,
      value: (name: string) => seen.value(name),
    }))
    return { target: startLine.split(" ")[1], own: origin.authority, value }
  })

describe("the Host that a server gets", () => {
  it.scopedLive("is the client's byte for byte, or that of the target in absolute-form", () =>
    Effect.gen(function* () {
      const settings = { hostField: "client" } as const
      for (const [text, host] of [
        [bareRequest("GET /al%20ice/", ["Host: Proxy.TEST:0080"]), "Proxy.TEST:0080"],
        [bareRequest("GET http://Other.test:81/al%20ice/", ["Host: proxy.test"]), "Other.test:81"],
        [bareRequest("GET /al%20ice/", ["Host: [::1]:80"]), "[::1]:80"],
      ] as const) {
        const seen = yield* seenBy(text, { settings })
        assert.strictEqual(seen.value("host"), host)
        assert.strictEqual(seen.value("x-forwarded-host"), host)
      }
    }),
  )

  it.scopedLive("is the server's own by default, with a policy against the flag, and where the client has none", () =>
    Effect.gen(function* () {
      const client = { hostField: "client" } as const
      for (const [text, given] of [
        [request("GET /al%20ice/"), {}],
        [request("GET /al%20ice/"), { settings: client, policy: { host: "server" } }],
        ["GET /al%20ice/ HTTP/1.0\r\n\r\n", { settings: client }],
        [bareRequest("GET /al%20ice/", ["Host:"]), { settings: client }],
      ] as const) {
        const seen = yield* seenBy(text, given)
        assert.strictEqual(seen.value("host"), seen.own)
      }
    }),
  )
})

describeUnless(lacking("openssl"))("the name that TLS verifies", () => {
  it.scopedLive("is the server's own, whatever Host says", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const origin = yield* TlsOrigin.start(yield* authority.issue({ names: "DNS:localhost" }))
      const proxy = yield* startProxy({ settings: { downstreamCa: authority.cert, hostField: "client" } })
      yield* proxy.repo.add({ id: "app", url: origin.url("localhost"), status: "active" })
      assert.strictEqual((yield* ask(proxy, request("GET /app/x"))).status, 200)
      assert.deepStrictEqual(
        origin.clients.map(({ servername }) => servername),
        ["localhost"],
      )
    }),
  )
})

describe("the path of a session with path=keep", () => {
  const policy = { path: "keep" } as const

  for (const [base, target, expected] of [
    ["", "/al%20ice", "/al%20ice"],
    ["", "/al%20ice?q", "/al%20ice?q"],
    ["", "/al%20ice/", "/al%20ice/"],
    ["", "/%61l%20ice//x/../%2F?", "/%61l%20ice//x/../%2F?"],
    ["/base", "/al%20ice", "/base/al%20ice"],
    ["/base/", "/al%20ice?q", "/base/al%20ice?q"],
    ["/base/", "/al%20ice/x", "/base/al%20ice/x"],
  ] as const) {
    it.scopedLive(`${target} behind ${base === "" ? "nothing" : base} is ${expected}, without X-Forwarded-Prefix`, () =>
      Effect.gen(function* () {
        const seen = yield* seenBy(request(`GET ${target}`), { base, policy })
        assert.strictEqual(seen.target, expected)
        assert.isUndefined(seen.value("x-forwarded-prefix"))
      }),
    )
  }

  it.scopedLive("is stripped again when the policy says so, against a flag for all", () =>
    Effect.gen(function* () {
      const given = { settings: { path: "keep" }, policy: { path: "strip" } } as const
      const seen = yield* seenBy(request("GET /al%20ice/x"), given)
      assert.deepStrictEqual([seen.target, seen.value("x-forwarded-prefix")], ["/x", "/al%20ice"])
      assert.strictEqual(
        (yield* seenBy(request("GET /al%20ice/x"), { settings: { path: "keep" } })).target,
        "/al%20ice/x",
      )
    }),
  )

  it.scopedLive("is kept for its WebSockets too, but those below /ws go as --ws-path says", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({ sessions: { app: `${origin.url}/base` }, settings: { path: "keep" } })
      for (const path of ["/app/socket?x", "/app", "/ws/app/chat"]) {
        const peer = yield* openWs(proxy.url + path)
        peer.socket.close(1000)
        yield* peer.closed
      }
      assert.deepStrictEqual(
        origin.handshakes.map(({ url }) => url),
        ["/base/app/socket?x", "/base/app", "/base/app/chat"],
      )
    }),
  )

  it.scopedLive("has nothing to keep on the session's own name", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(hello))
      const proxy = yield* startProxy({
        sessions: { app: `${origin.url}/base` },
        settings: { path: "keep", sessionHosts: ["localhost"] },
      })
      yield* ask(proxy, bareRequest("GET /x", ["Host: app.localhost"]))
      assert.strictEqual((yield* origin.request()).target, "/base/x")
    }),
  )
})
