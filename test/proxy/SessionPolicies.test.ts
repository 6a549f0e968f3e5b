import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Authority } from "../support/Certificates.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { request } from "../support/HttpText.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile } from "../sessions/temporary.js"
import { SqliteShell } from "../support/SqliteShell.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs, refusedWs } from "../support/WsPeer.js"

const ask = (proxy: TestProxy, target: string) =>
  Effect.flatMap(proxy.connect, (client) => client.ask(request(`GET ${target}`)))

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

describe("a row whose URL has whitespace around it", () => {
  it.scopedLive("is forwarded, and holds on to its WebSockets when somebody takes that away", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const filename = yield* temporaryFile("sessions.db")
      const proxy = yield* startProxy({ repo: layerSqlite({ filename }) })
      const shell = yield* SqliteShell.open(filename)
      yield* shell.run(
        `INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
          VALUES ('app', char(10, 9, 32) || '${origin.url}' || char(32, 13, 10), 'active')`,
      )
      yield* inForce
      const peer = yield* openWs(`${proxy.url}/ws/app`)
      yield* shell.run(
        `UPDATE sessions SET downstream_server_url = '${origin.url}' || char(10) WHERE session_id = 'app'`,
      )
      yield* inForce
      assert.deepStrictEqual(
        (yield* proxy.repo.list).map(({ url }) => url),
        [origin.url],
      )
      // A second one is looked up anew, in the same lifetime.
      const other = yield* openWs(`${proxy.url}/ws/app`)
      for (const [index, { closed, socket }] of [peer, other].entries()) {
        socket.send("one")
        assert.strictEqual(yield* (yield* origin.connection(index)).peer.message, "one")
        socket.close(1000)
        yield* closed
      }
    }),
  )
})

const warnings = (proxy: TestProxy) => proxy.log.filter((line) => line.includes("is not verified"))

describeUnless(lacking("openssl"))("a session that is insecure", () => {
  it.scopedLive("is forwarded to a server whose certificate is worth nothing, and no other session is", () =>
    Effect.gen(function* () {
      const origin = yield* TlsOrigin.start(yield* Authority.make("self"))
      const proxy = yield* startProxy({ sessions: { strict: origin.url() } })
      yield* proxy.repo.add({ id: "lax", url: origin.url(), status: "active", policy: { insecure: true } })
      assert.deepStrictEqual(
        [(yield* ask(proxy, "/lax/x")).status, (yield* ask(proxy, "/strict/x")).status],
        [200, 502],
      )
      const peer = yield* openWs(`${proxy.url}/ws/lax`)
      peer.socket.send("one")
      assert.strictEqual(yield* peer.message, "one")
      peer.socket.close(1000)
      yield* peer.closed
      const refused = yield* refusedWs(`${proxy.url}/ws/strict`)
      assert.strictEqual(refused.status, 502)
      assert.deepStrictEqual(origin.targets, ["/x", "/lax"])
    }),
  )

  it.scopedLive("is warned of once in each lifetime, by its id, its server and what is wrong with that", () =>
    Effect.gen(function* () {
      const origin = yield* TlsOrigin.start(yield* Authority.make("self"))
      const other = yield* TlsOrigin.start(yield* Authority.make("self"))
      const proxy = yield* startProxy({ settings: { poolIdleTimeout: 0 } })
      yield* proxy.repo.add({ id: "lax", url: origin.url(), status: "active", policy: { insecure: true } })
      assert.deepStrictEqual(warnings(proxy), [])
      for (let count = 0; count < 3; count++) assert.strictEqual((yield* ask(proxy, "/lax/x")).status, 200)
      const peer = yield* openWs(`${proxy.url}/ws/lax`)
      peer.socket.close(1000)
      yield* peer.closed
      assert.lengthOf(warnings(proxy), 1)
      for (const text of ["session=lax", `address=127.0.0.1:${origin.port}`, "SELF_SIGNED_CERT"])
        assert.include(warnings(proxy)[0], text)
      yield* proxy.repo.set("lax", { url: other.url() })
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/lax/x")).status, 200)
      assert.lengthOf(warnings(proxy), 2)
      assert.include(warnings(proxy)[1], `address=127.0.0.1:${other.port}`)
    }),
  )

  it.scopedLive("keeps no connection that was made without verification when that is taken away", () =>
    Effect.gen(function* () {
      const origin = yield* TlsOrigin.start(yield* Authority.make("self"))
      const proxy = yield* startProxy({})
      yield* proxy.repo.add({ id: "lax", url: origin.url(), status: "active", policy: { insecure: true } })
      assert.strictEqual((yield* ask(proxy, "/lax/x")).status, 200)
      const peer = yield* openWs(`${proxy.url}/ws/lax`)
      yield* proxy.repo.set("lax", { policy: { insecure: false } })
      yield* inForce
      const reply = yield* ask(proxy, "/lax/y")
      assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=tls_certificate_error")
      assert.strictEqual((yield* peer.closed).code, 1012)
      assert.deepStrictEqual(origin.targets, ["/x", "/lax"])
    }),
  )

  it.scopedLive("has nothing to be warned of where its server speaks no TLS", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({})
      yield* proxy.repo.add({ id: "lax", url: origin.url, status: "active", policy: { insecure: true } })
      const peer = yield* openWs(`${proxy.url}/ws/lax`)
      peer.socket.close(1000)
      yield* peer.closed
      assert.deepStrictEqual(warnings(proxy), [])
    }),
  )
})

describe("the WebSocket path of a session", () => {
  it.scopedLive("goes before that of the settings, for this session alone", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({ sessions: { plain: origin.url }, settings: { wsPath: "strip" } })
      const targets: Array<string> = []
      const connect = (id: string) =>
        Effect.gen(function* () {
          const peer = yield* openWs(`${proxy.url}/ws/${id}/chat?x=1`)
          targets.push(origin.accepted.at(-1)?.handshake.url ?? "")
          peer.socket.close(1000)
          yield* peer.closed
        })
      for (const wsPath of ["append", "full", "strip"] as const)
        yield* proxy.repo.add({ id: wsPath, url: origin.url, status: "active", policy: { wsPath } })
      for (const id of ["append", "full", "strip", "plain"]) yield* connect(id)
      yield* proxy.repo.set("append", { policy: { wsPath: null } })
      yield* inForce
      yield* connect("append")
      assert.deepStrictEqual(targets, ["/append/chat?x=1", "/ws/full/chat?x=1", "/chat?x=1", "/chat?x=1", "/chat?x=1"])
    }),
  )

  it.scopedLive("leaves WebSockets that are open alone when it changes", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({ sessions: { app: origin.url } })
      const before = yield* openWs(`${proxy.url}/ws/app`)
      yield* proxy.repo.set("app", { policy: { wsPath: "full" } })
      yield* inForce
      const after = yield* openWs(`${proxy.url}/ws/app`)
      assert.deepStrictEqual(
        origin.accepted.map(({ handshake }) => handshake.url),
        ["/app", "/ws/app"],
      )
      for (const peer of [before, after]) {
        peer.socket.ping("still there")
        yield* peer.until("the pong", () => peer.pongs.length > 0)
        peer.socket.close(1000)
        yield* peer.closed
      }
    }),
  )
})

describeUnless(lacking("sqlite3"))("a policy that sqlite3 writes", () => {
  it.scopedLive("is in force 10 ms later; one that means nothing is 502, and the log says why", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const filename = yield* temporaryFile("sessions.db")
      const proxy = yield* startProxy({ repo: layerSqlite({ filename }) })
      yield* proxy.repo.add({ id: "app", url: origin.url, status: "active" })
      const shell = yield* SqliteShell.open(filename)
      const put = (wsPath: string) =>
        Effect.zipRight(
          shell.run(`REPLACE INTO session_policies (session_id, ws_path) VALUES ('app', ${wsPath})`),
          inForce,
        )
      const connect = Effect.gen(function* () {
        const peer = yield* openWs(`${proxy.url}/ws/app`)
        peer.socket.close(1000)
        yield* peer.closed
        return origin.accepted.at(-1)?.handshake.url
      })
      assert.strictEqual(yield* connect, "/app")
      yield* put("'full'")
      assert.strictEqual(yield* connect, "/ws/app")
      yield* put("'sideways'")
      const reply = yield* ask(proxy, "/app/x")
      assert.strictEqual(reply.status, 502)
      assert.include(reply.text, '"code":"session_policy_invalid"')
      assert.strictEqual(reply.value("proxy-status"), "ss-proxy; error=proxy_configuration_error")
      assert.notInclude(reply.text, "sideways")
      assert.strictEqual((yield* refusedWs(`${proxy.url}/ws/app`)).status, 502)
      assert.include(proxy.log.join("\n"), "sideways")
      yield* put("NULL")
      assert.strictEqual(yield* connect, "/app")
    }),
  )
})
