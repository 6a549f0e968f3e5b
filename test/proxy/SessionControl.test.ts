import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { fairNow, lostTime } from "../support/FairClock.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import type { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { layerSqlite } from "../../src/sessions/sqlite/SqliteSessionRepo.js"
import { temporaryFile } from "../sessions/temporary.js"
import { answer, request } from "../support/HttpText.js"
import { answering, type OriginConnection, RawOrigin, type Script, silent } from "../support/RawOrigin.js"
import { valueIn } from "../support/Numbers.js"
import { SqliteShell } from "../support/SqliteShell.js"
import { startProxy, type TestProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs, refusedWs, type WsPeer } from "../support/WsPeer.js"

const stores: Record<string, Layer.Layer<SessionRepo, StoreUnavailable>> = {
  memory: layerMemory(),
  sqlite: Layer.unwrapScoped(Effect.map(temporaryFile("sessions.db"), (filename) => layerSqlite({ filename }))),
}

const ask = (proxy: TestProxy, target: string) =>
  Effect.flatMap(proxy.connect, (client) => client.ask(request(`GET ${target}`)))

/** A WebSocket carries frames both ways. Closes it. */
const assertOpen = (peer: WsPeer) =>
  Effect.gen(function* () {
    peer.socket.ping("still there")
    yield* peer.until("the pong", () => peer.pongs.length > 0)
    peer.socket.close(1000)
    yield* peer.closed
  })

/** A change must be in force after this long. */
const inForce = Effect.sleep(15)

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
const event = (text: string) => `${(text.length + 8).toString(16)}\r\ndata: ${text}\n\n\r\n`

/** Streams what `/events` asks for, says nothing to `/silent`, and answers everything else. */
const server: Script = (connection: OriginConnection) =>
  Effect.forever(
    Effect.flatMap(connection.head, ({ target }) => {
      if (target === "/events") return connection.send(streamHead, event("first"))
      return target === "/silent" ? Effect.void : connection.send(answer("200 OK", "hello"))
    }),
  )

const startLab = (store: Layer.Layer<SessionRepo, StoreUnavailable>, script = server) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(script)
    const proxy = yield* startProxy({ repo: Layer.fresh(store) })
    yield* proxy.repo.add({ id: "app", url: origin.url, status: "active" })
    return { origin, proxy }
  })

/** A client that has an event stream open, and the connection that carries it to the server. */
const openStream = ({ origin, proxy }: { readonly origin: RawOrigin; readonly proxy: TestProxy }) =>
  Effect.gen(function* () {
    const client = yield* proxy.connect
    const index = origin.connections.length
    yield* client.send(request("GET /app/events"))
    yield* client.seen("data: first")
    return { client, connection: yield* origin.connection(index) }
  })

describe.each(Object.entries(stores))("control of a session (%s)", (_name, store) => {
  const scenario = (name: string, test: Effect.Effect<unknown, unknown, Scope.Scope>) => it.scopedLive(name, () => test)

  scenario(
    "kills: a stream is reset, what has no answer yet gets 503, and the next request begins anew",
    Effect.gen(function* () {
      const lab = yield* startLab(store)
      const { origin, proxy } = lab
      const { client } = yield* openStream(lab)
      const waiting = yield* proxy.connect
      yield* waiting.send(request("GET /app/silent"))
      yield* origin.seen("/silent")
      const idle = yield* proxy.connect
      yield* idle.ask(request("GET /app/x"))
      const before = origin.connections.length
      yield* proxy.repo.kill("app")
      assert.strictEqual(yield* client.gone, "reset")
      const told = yield* waiting.response()
      assert.strictEqual(told.status, 503)
      assert.include(told.text, '"code":"session_unavailable"')
      assert.strictEqual(told.value("retry-after"), "1")
      yield* origin.deserted
      assert.strictEqual((yield* idle.ask(request("GET /app/y"))).status, 200)
      assert.strictEqual(origin.connections.length, before + 1)
      assert.strictEqual(valueIn(yield* proxy.metrics, 'ss_proxy_sessions_ended_total{reason="killed"}'), 1)
      yield* proxy.repo.remove("app")
    }),
  )

  scenario(
    "kills while a request is being dialled, and while its content comes",
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab(store, silent)
      // The handshake of TLS never comes to an end.
      yield* proxy.repo.add({ id: "dialled", url: origin.url.replace("http:", "https:"), status: "active" })
      const dialling = yield* proxy.connect
      yield* dialling.send(request("GET /dialled/x"))
      yield* origin.connection(0)
      yield* proxy.repo.kill("dialled")
      assert.strictEqual((yield* dialling.response()).status, 503)
      yield* origin.deserted
      const uploading = yield* proxy.connect
      yield* uploading.send("POST /app/up HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome of it")
      yield* origin.seen("some of it")
      yield* proxy.repo.kill("app")
      const told = yield* uploading.response()
      assert.strictEqual(told.status, 503)
      assert.include(told.text, '"code":"session_unavailable"')
      yield* origin.deserted
      assert.strictEqual(told.value("connection"), "close")
    }),
  )

  scenario(
    "closes WebSockets with 1001, or as the kill says, and lets others be",
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const proxy = yield* startProxy({ repo: Layer.fresh(store) })
      for (const id of ["app", "other"]) yield* proxy.repo.add({ id, url: origin.url, status: "active" })
      const other = yield* openWs(`${proxy.url}/ws/other`)
      const closes = [
        [undefined, { code: 1_001, reason: "the session was killed" }],
        [
          { code: 4_999, reason: "é".repeat(50) },
          { code: 4_999, reason: "é".repeat(50) },
        ],
        [
          { code: 1_012, reason: "" },
          { code: 1_012, reason: "" },
        ],
        [{ code: 1_008 }, { code: 1_008, reason: "the session was killed" }],
      ] as const
      for (const [close, expected] of closes) {
        const peer = yield* openWs(`${proxy.url}/ws/app`)
        const killedAt = fairNow()
        yield* proxy.repo.kill("app", close)
        const { code, reason } = yield* peer.closed
        assert.deepStrictEqual({ code, reason }, expected)
        assert.isBelow(fairNow() - killedAt, 1_000)
      }
      yield* assertOpen(other)
    }),
  )

  scenario(
    "drains: streams and WebSockets go on, new requests get 503 and what is left, until resume",
    Effect.gen(function* () {
      const lab = yield* startLab(store)
      const { origin, proxy } = lab
      const { client, connection } = yield* openStream(lab)
      yield* proxy.repo.drain("app", 40_000)
      yield* inForce
      const refused = yield* ask(proxy, "/app/x")
      assert.strictEqual(refused.status, 503)
      assert.include(refused.text, '"code":"session_unavailable"')
      assert.include(refused.text, "The session is draining: it takes no new requests.")
      assert.include(["39", "40"], refused.value("retry-after"))
      assert.strictEqual((yield* refusedWs(`${proxy.url}/ws/app`)).status, 503)
      yield* connection.send(event("second"))
      yield* client.seen("data: second")
      const resumed = yield* proxy.repo.resume("app")
      assert.strictEqual(resumed.status, "active")
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/app/x")).status, 200)
      yield* connection.send(event("third"), "0\r\n\r\n")
      assert.include((yield* client.response()).text, "third")
      yield* proxy.repo.remove("app")
      yield* origin.deserted
    }),
  )

  scenario(
    "kills what is left when the time of a drain is over, and answers 503 until that is ended",
    Effect.gen(function* () {
      const lab = yield* startLab(store)
      const { proxy } = lab
      const { client } = yield* openStream(lab)
      const [startedAt, fairStart] = [performance.now(), fairNow()]
      yield* proxy.repo.drain("app", 500)
      assert.strictEqual(yield* client.gone, "reset")
      assert.isAbove(performance.now() - startedAt, 450)
      assert.isBelow(fairNow() - fairStart, 1_500)
      const refused = yield* ask(proxy, "/app/x")
      assert.deepStrictEqual([refused.status, refused.value("retry-after")], [503, "1"])
      yield* proxy.repo.resume("app")
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/app/x")).status, 200)
      yield* proxy.repo.remove("app")
    }),
  )

  scenario(
    "removes a session that drains, and one that is added under its id does not drain",
    Effect.gen(function* () {
      const lab = yield* startLab(store)
      const { origin, proxy } = lab
      const { client } = yield* openStream(lab)
      yield* proxy.repo.drain("app", 30_000)
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/app/x")).status, 503)
      // How long it still takes, and not when it ends by a clock that only this process has.
      const [line = ""] = proxy.log.filter((one) => /message=failed\b.* session=app\b/.test(one))
      assert.match(line, / reason=draining\b/)
      assert.match(line, / drain_ends_in_s=(29|30)\b/)
      assert.notInclude(line, "drainEndsAt")
      yield* proxy.repo.remove("app")
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/app/x")).status, 404)
      assert.strictEqual(yield* client.gone, "reset")
      yield* proxy.repo.add({ id: "app", url: origin.url, status: "active" })
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/app/x")).status, 200)
      yield* proxy.repo.remove("app")
    }),
  )

  scenario(
    "puts up with a thousand kills in a row, under load",
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab(store, answering(answer("200 OK", "hello")))
      const statuses = new Map<number, number>()
      const kills = { are: "going on" }
      const asking = Effect.gen(function* () {
        const client = yield* proxy.connect
        while (kills.are === "going on") {
          const { status } = yield* client.ask(request("GET /app/x"))
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
        }
      })
      const killing = Effect.gen(function* () {
        for (let count = 0; count < 1_000; count++) yield* Effect.zipRight(proxy.repo.kill("app"), Effect.sleep(1))
        kills.are = "over"
      })
      yield* Effect.all([killing, asking, asking, asking], { concurrency: "unbounded" })
      // Every request has an answer: of the server, or that it was killed.
      assert.includeMembers([200, 503], [...statuses.keys()])
      yield* inForce
      assert.strictEqual((yield* ask(proxy, "/app/x")).status, 200)
      yield* proxy.repo.remove("app")
      yield* origin.deserted
    }),
  )
})

describeUnless(lacking("sqlite3"))("what sqlite3 asks of a session", () => {
  it.scopedLive("is in force in two proxies within a second", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const filename = yield* temporaryFile("sessions.db")
      const proxies = [
        yield* startProxy({ repo: layerSqlite({ filename }) }),
        yield* startProxy({ repo: layerSqlite({ filename }) }),
      ]
      yield* Effect.forEach(proxies.slice(0, 1), ({ repo }) =>
        repo.add({ id: "app", url: origin.url, status: "active" }),
      )
      const shell = yield* SqliteShell.open(filename)
      const open = Effect.forEach(proxies, ({ url }) => openWs(`${url}/ws/app`))
      const closes = (peers: Effect.Effect.Success<typeof open>) =>
        Effect.forEach(peers, (peer) => Effect.map(peer.closed, ({ code, reason }) => [code, reason]), {
          concurrency: "unbounded",
        })
      const killed = yield* open
      const lost = lostTime()
      const killedAt = yield* shell.run(`INSERT INTO session_control (session_id, kills, kill_code, kill_reason)
        VALUES ('app', 1, 4001, 'moved') ON CONFLICT (session_id) DO UPDATE SET kills = ifnull(kills, 0) + 1,
        kill_code = excluded.kill_code, kill_reason = excluded.kill_reason`)
      assert.deepStrictEqual(yield* closes(killed), [
        [4_001, "moved"],
        [4_001, "moved"],
      ])
      assert.isBelow(Date.now() - killedAt - (lostTime() - lost), 1_000)
      const drained = yield* open
      const drainedAt = yield* shell.run(`INSERT INTO session_control (session_id, drain_since, drain_until)
        VALUES ('app', unixepoch() * 1000, (unixepoch() + 2) * 1000) ON CONFLICT (session_id)
        DO UPDATE SET drain_since = excluded.drain_since, drain_until = excluded.drain_until`)
      yield* inForce
      for (const proxy of proxies) assert.strictEqual((yield* ask(proxy, "/app/x")).status, 503)
      assert.deepStrictEqual(yield* closes(drained), [
        [1_001, "the session was drained"],
        [1_001, "the session was drained"],
      ])
      assert.isBelow(Date.now() - drainedAt - (lostTime() - lost), 3_000)
      for (const proxy of proxies) assert.strictEqual((yield* ask(proxy, "/app/x")).status, 503)
    }),
  )

  it.scopedLive("is 502 where it means nothing: the log says why, and what is live goes on", () =>
    Effect.gen(function* () {
      const origin = yield* WsOrigin.start()
      const filename = yield* temporaryFile("sessions.db")
      const proxy = yield* startProxy({ repo: layerSqlite({ filename }) })
      for (const id of ["app", "other"]) yield* proxy.repo.add({ id, url: origin.url, status: "active" })
      const peer = yield* openWs(`${proxy.url}/ws/app`)
      const shell = yield* SqliteShell.open(filename)
      yield* shell.run(
        "INSERT INTO session_control (session_id, drain_since, drain_until) VALUES ('app', 'now', 'soon')",
      )
      yield* inForce
      const refused = yield* ask(proxy, "/app/x")
      assert.strictEqual(refused.status, 502)
      assert.include(refused.text, '"code":"session_control_invalid"')
      assert.notInclude(refused.text, "soon")
      assert.include(proxy.log.join("\n"), "drain_since")
      const other = yield* openWs(`${proxy.url}/ws/other`)
      yield* Effect.sleep(300)
      for (const one of [peer, other]) yield* assertOpen(one)
      yield* proxy.repo.resume("app")
      yield* inForce
      yield* assertOpen(yield* openWs(`${proxy.url}/ws/app`))
    }),
  )
})
