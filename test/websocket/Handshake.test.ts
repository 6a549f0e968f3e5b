import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { eventually } from "../support/Changes.js"
import { answer, bareRequest, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import { saying, type Script, silent } from "../support/RawOrigin.js"
import { startProxy } from "../support/TestProxy.js"
import { fibersBackTo, liveFibers } from "./Fibers.js"
import { clientClose, clientText, frame, serverText } from "./Frames.js"
import {
  agreeing,
  deflateOffer,
  handshake,
  handshakeFields,
  key,
  openThrough,
  openTunnel,
  switching,
  TunnelEnd,
} from "./Tunnel.js"

const without = (name: string): ReadonlyArray<string> => handshakeFields.filter((line) => !line.startsWith(name))

describe("a handshake", () => {
  it.scopedLive("reaches the server with everything that the client offered", () =>
    Effect.gen(function* () {
      const offered = [
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Protocol: third",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Cookie: a=1; b=2",
        "Authorization: Bearer x",
        "Origin: https://app.example",
        "X-Custom: Yes",
      ]
      const lab = yield* startLab({ script: agreeing() })
      const { server } = yield* openThrough(lab, "/app/a%2Fb?token=1&x=%20", offered)
      const seen = yield* lab.origin.request()
      assert.strictEqual(seen.startLine, "GET /a%2Fb?token=1&x=%20 HTTP/1.1")
      assert.includeMembers(
        seen.fields.map(([name, value]) => `${name}: ${value}`),
        [...offered, ...handshakeFields],
      )
      assert.strictEqual(seen.value("host"), lab.origin.authority)
      assert.strictEqual(seen.value("x-forwarded-host"), "proxy.test")
      assert.isTrue(server.raw.isOpen)
    }),
  )

  it.scopedLive("comes back with everything that the server chose", () =>
    Effect.gen(function* () {
      const chosen = [
        "Sec-WebSocket-Protocol: superchat",
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "X-Server: Yes",
      ]
      const { client } = yield* openTunnel({}, agreeing(chosen), [deflateOffer])
      const head = client.raw.text
      assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
      for (const line of [...chosen, "Upgrade: websocket", "Connection: Upgrade"])
        assert.include(head, `\r\n${line}\r\n`)
      assert.strictEqual(head.match(/\r\nupgrade:/gi)?.length, 1)
      assert.strictEqual(head.match(/\r\nsec-websocket-accept:/gi)?.length, 1)
    }),
  )

  it.scopedLive("comes back without a length, a transfer coding and words in the proxy's name", () =>
    Effect.gen(function* () {
      const dropped = ["Content-Length: 0", "Transfer-Encoding: chunked", "Proxy-Status: ss-proxy; error=dns_error"]
      const { client } = yield* openTunnel({}, agreeing([...dropped, "X-Server: Yes"]))
      assert.include(client.raw.text, "\r\nX-Server: Yes\r\n")
      assert.notMatch(client.raw.text, /content-length|transfer-encoding|proxy-status/i)
    }),
  )

  it.scopedLive("with an extension that was agreed on lets its RSV bits pass, byte for byte", () =>
    Effect.gen(function* () {
      const { client, server } = yield* openTunnel({}, agreeing(["Sec-WebSocket-Extensions: permessage-deflate"]), [
        deflateOffer,
      ])
      const [there, back] = [frame(1, "x", { masked: true, rsv: 0x40 }), frame(2, "y", { rsv: 0x40 })]
      yield* client.raw.send(there)
      yield* server.seen(there.length)
      yield* server.raw.send(back)
      yield* client.seen(back.length)
      assert.deepStrictEqual([server.bytes, client.bytes], [there, back])
    }),
  )

  it.scopedLive("loses no byte that is glued to either head, though the server answers late", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          const message = yield* connection.head
          // The client's second piece is with the proxy when the answer comes, but the server must not see it before.
          yield* Effect.sleep(50)
          assert.isFalse(connection.text.includes("\x81"), "frames before the 101")
          yield* connection.send(Buffer.concat([Buffer.from(switching(message), "latin1"), serverText("glued")]))
        })
      const { proxy, origin } = yield* startLab({ script })
      const client = yield* proxy.connect
      const [first, second] = [clientText("early"), clientText("and more")]
      yield* client.send(Buffer.concat([Buffer.from(handshake(), "latin1"), first.subarray(0, 4)]))
      yield* client.send(Buffer.concat([first.subarray(4), second]))
      yield* client.seen("glued")
      const connection = yield* origin.connection()
      const server = new TunnelEnd(connection, connection.text.indexOf("\r\n\r\n") + 4)
      yield* server.seen(first.length + second.length)
      assert.deepStrictEqual(server.bytes, Buffer.concat([first, second]))
      const end = new TunnelEnd(client, client.text.indexOf("\r\n\r\n") + 4)
      assert.deepStrictEqual(end.bytes, serverText("glued"))
    }),
  )

  it.scopedLive("for h2c is no handshake: the request is served as a plain one", () =>
    Effect.gen(function* () {
      const { ask, origin } = yield* startLab()
      const got = yield* ask(
        request("GET /app/x", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]),
      )
      assert.deepStrictEqual([got.status, got.text], [200, "hello"])
      assert.strictEqual((yield* origin.request()).value("upgrade"), undefined)
    }),
  )

  it.scopedLive.each([
    ["a status with a body", answer("401 Unauthorized", "who are you?", ["WWW-Authenticate: Basic", "X-A: 1"]), 401],
    ["a redirect", answer("302 Found", "", ["Location: /login"]), 302],
    ["a success that is no switch", answer("200 OK", "a page"), 200],
    ["a body in chunks", response("503 Busy", ["Transfer-Encoding: chunked"], chunk("busy") + lastChunk()), 503],
    ["no body", response("204 No Content"), 204],
  ] as const)("that the server refuses gets the server's own answer: %s", ([, text, status]) =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script: saying(text) })
      const before = yield* liveFibers
      const client = yield* proxy.connect
      const got = yield* client.ask(handshake())
      assert.strictEqual(got.status, status)
      assert.strictEqual(got.text, { 401: "who are you?", 302: "", 200: "a page", 503: "busy", 204: "" }[status])
      if (status === 401) assert.deepStrictEqual([got.value("www-authenticate"), got.value("x-a")], ["Basic", "1"])
      if (status === 302) assert.strictEqual(got.value("location"), "/login")
      assert.strictEqual(yield* client.gone, "finished")
      yield* client.finish
      yield* proxy.quiet
      yield* fibersBackTo(before)
    }),
  )
})

const malformed: ReadonlyArray<readonly [why: string, text: string, status: number]> = [
  ["without a key", request("GET /app/x", without("Sec-WebSocket-Key")), 400],
  ["with an empty key", request("GET /app/x", [...without("Sec-WebSocket-Key"), "Sec-WebSocket-Key:"]), 400],
  ["with two keys", request("GET /app/x", [...handshakeFields, `Sec-WebSocket-Key: ${key}`]), 400],
  ["of version 8", request("GET /app/x", [...without("Sec-WebSocket-V"), "Sec-WebSocket-Version: 8"]), 426],
  ["without a version", request("GET /app/x", without("Sec-WebSocket-V")), 426],
  ["of two versions", request("GET /app/x", [...handshakeFields, "sec-websocket-version: 8"]), 426],
  [
    "of a list of versions",
    request("GET /app/x", [...without("Sec-WebSocket-V"), "Sec-WebSocket-Version: 13, 8"]),
    426,
  ],
  ["with a body", request("GET /app/x", [...handshakeFields, "Content-Length: 5"], "hello"), 400],
  ["with chunks", request("GET /app/x", [...handshakeFields, "Transfer-Encoding: chunked"], lastChunk()), 400],
  ["by POST", request("POST /app/x", [...handshakeFields, "Content-Length: 0"]), 400],
  ["over HTTP/1.0", handshake("/app/x").replace("HTTP/1.1", "HTTP/1.0"), 400],
  ["without Host", bareRequest("GET /app/x", handshakeFields), 400],
  ["for no session", handshake("/nobody/x"), 404],
  ["on the WebSocket route without Connection: Upgrade", request("GET /ws/app", without("Connection")), 426],
]

describe("a handshake that is malformed", () => {
  it.scopedLive.each(malformed)("%s is refused at once, and leaves nothing behind", ([, text, status]) =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script: agreeing() })
      const before = yield* liveFibers
      const client = yield* proxy.connect
      const got = yield* client.ask(text)
      assert.strictEqual(got.status, status)
      assert.strictEqual(got.value("content-type"), "application/problem+json")
      const names = [got.value("sec-websocket-version"), got.value("upgrade")]
      assert.deepStrictEqual(names, status === 426 ? ["13", "websocket"] : [undefined, undefined])
      assert.strictEqual(origin.connections.length, 0)
      client.socket.destroy()
      assert.strictEqual(yield* proxy.trafficCount, 0)
      yield* fibersBackTo(before)
    }),
  )
})

describe("a handshake whose server misbehaves", () => {
  const accept = `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`
  const agreeingTo = (more: ReadonlyArray<string>) =>
    response("101 X", ["Upgrade: websocket", "Connection: Upgrade", accept, ...more])
  const badAnswers: ReadonlyArray<readonly [why: string, text: string]> = [
    ["a wrong Accept", response("101 X", ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: x"])],
    ["no Accept", response("101 X", ["Upgrade: websocket", "Connection: Upgrade"])],
    ["no Upgrade", response("101 X", ["Connection: Upgrade", accept])],
    ["another Upgrade", response("101 X", ["Upgrade: h2c", "Connection: Upgrade", accept])],
    ["no Connection", response("101 X", ["Upgrade: websocket", accept])],
    ["an extension that nobody offered", agreeingTo(["Sec-WebSocket-Extensions: permessage-deflate"])],
    [
      "such an extension behind an empty field",
      agreeingTo(["Sec-WebSocket-Extensions:", "sec-websocket-extensions: permessage-deflate"]),
    ],
    ["no HTTP", "HELLO\r\n\r\n"],
  ]

  it.scopedLive.each(badAnswers)("is answered 502, and never 101: %s", ([, text]) =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script: saying(text) })
      const before = yield* liveFibers
      const client = yield* proxy.connect
      const got = yield* client.ask(handshake())
      assert.strictEqual(got.status, 502)
      assert.propertyVal(got.json, "code", "downstream_protocol")
      yield* client.gone
      yield* origin.deserted
      client.socket.destroy()
      yield* proxy.quiet
      yield* fibersBackTo(before)
    }),
  )

  it.scopedLive.each([
    ["resets before it reads", (connection) => connection.reset],
    ["resets behind the request", (connection) => Effect.zipRight(connection.head, connection.reset)],
    ["hangs up behind the request", (connection) => Effect.zipRight(connection.head, connection.finish)],
    ["resets inside its head", saying("HTTP/1.1 101 Switching Protocols\r\nUpgr", "reset")],
  ] as ReadonlyArray<readonly [string, Script]>)("is answered 502 where it %s", ([, script]) =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab({ script })
      const before = yield* liveFibers
      const client = yield* proxy.connect
      const got = yield* client.ask(handshake())
      assert.strictEqual(got.status, 502)
      yield* client.gone
      client.socket.destroy()
      yield* proxy.quiet
      yield* fibersBackTo(before)
    }),
  )

  it.scopedLive("is answered 504 where it says nothing in time", () =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script: silent, settings: { timeout: 100 } })
      const client = yield* proxy.connect
      const got = yield* client.ask(handshake())
      assert.strictEqual(got.status, 504)
      assert.propertyVal(got.json, "code", "downstream_timeout")
      yield* origin.deserted
      yield* client.gone
    }),
  )

  it.scopedLive("is answered 502 where nobody listens", () =>
    Effect.gen(function* () {
      const proxy = yield* startProxy({ sessions: { app: "http://127.0.0.1:1" } })
      const client = yield* proxy.connect
      const got = yield* client.ask(handshake())
      assert.strictEqual(got.status, 502)
      assert.propertyVal(got.json, "code", "downstream_unreachable")
      yield* client.gone
    }),
  )

  it.scopedLive("that resets right behind its 101 ends as a WebSocket, with 1011 or a reset and not in silence", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.send(switching(yield* connection.head))
          yield* connection.reset
        })
      const { proxy } = yield* startLab({ script })
      const before = yield* liveFibers
      const client = yield* proxy.connect
      yield* client.send(handshake())
      yield* client.gone
      client.socket.destroy()
      yield* proxy.quiet
      yield* fibersBackTo(before)
    }),
  )
})

describe("a client that leaves", () => {
  it.scopedLive.each([
    ["inside its own head", handshake().slice(0, 60), silent, 0],
    ["while the server thinks", handshake(), silent, 1],
    ["while the server thinks, behind its first frames", `${handshake()}\x81\x85abcd`, silent, 1],
    ["right behind the 101", handshake(), agreeing(), 1],
    ["with half a frame sent", `${handshake()}\x81\x85ab`, agreeing(), 1],
  ] as const)("by a reset, %s, leaves nothing behind", ([, text, script, reached]) =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script })
      const before = yield* liveFibers
      const client = yield* proxy.connect
      yield* client.send(text)
      if (reached > 0) yield* origin.seen("\r\n\r\n")
      if (script !== silent) yield* client.head
      yield* client.reset
      yield* origin.deserted
      yield* proxy.quiet
      yield* fibersBackTo(before)
    }),
  )

  it.scopedLive("politely while the server thinks lets go of the server at once", () =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(handshake())
      yield* Effect.flatMap(origin.connection(), (connection) => connection.head)
      yield* client.finish
      yield* origin.deserted
      yield* proxy.quiet
    }),
  )
})

describe("a limit of WebSockets", () => {
  it.scopedLive("in all answers one more with 429, and lets another in when one has gone", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing(), settings: { maxWebSockets: 2 } })
      const first = yield* openThrough(lab)
      yield* openThrough(lab)
      const refused = yield* Effect.flatMap(lab.proxy.connect, (client) => client.ask(handshake()))
      assert.strictEqual(refused.status, 429)
      assert.propertyVal(refused.json, "code", "session_limit")
      assert.strictEqual(lab.origin.connections.length, 2)
      yield* first.client.raw.send(clientClose(1000))
      yield* first.client.raw.finish
      yield* first.client.raw.gone
      yield* openThrough(lab)
    }),
  )

  it.scopedLive("for a session leaves the others alone", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing(), settings: { maxWebSocketsPerSession: 1 } })
      yield* lab.proxy.repo.add({ id: "other", url: lab.origin.url, status: "active" })
      yield* openThrough(lab)
      yield* openThrough(lab, "/other/x")
      const refused = yield* Effect.flatMap(lab.proxy.connect, (client) => client.ask(handshake()))
      assert.strictEqual(refused.status, 429)
    }),
  )

  it.scopedLive(
    "counts handshakes that are not answered yet, and forgets those that fail, or are refused or left",
    () =>
      Effect.gen(function* () {
        const ways: Array<Script> = [saying(hello), saying("no HTTP at all\r\n\r\n"), silent, agreeing()]
        let turn = 0
        const script: Script = (connection) => (ways[turn++] ?? silent)(connection)
        const { proxy, origin } = yield* startLab({ script, settings: { maxWebSockets: 1 } })
        const ask = Effect.flatMap(proxy.connect, (client) => client.ask(handshake()))
        assert.strictEqual((yield* ask).status, 200)
        assert.strictEqual((yield* ask).status, 502)
        const waiting = yield* proxy.connect
        yield* waiting.send(handshake())
        yield* Effect.flatMap(origin.connection(2), (connection) => connection.head)
        assert.strictEqual((yield* ask).status, 429)
        yield* waiting.reset
        yield* origin.deserted
        const last = yield* proxy.connect
        yield* last.send(handshake())
        assert.strictEqual((yield* last.head).status, 101)
      }),
  )
})

describe("a handshake under way when the proxy is told to stop", () => {
  it.scopedLive("becomes a WebSocket that is told to go at once, and the drain waits for it", () =>
    Effect.gen(function* () {
      const { proxy, origin } = yield* startLab({ script: silent, settings: { grace: 5_000 } })
      const client = yield* proxy.connect
      yield* client.send(handshake())
      const connection = yield* origin.connection()
      const message = yield* connection.head
      const draining = yield* Effect.fork(proxy.server.drain)
      yield* eventually(
        Effect.sync(() => proxy.log.some((line) => line.includes('message="draining: 1 request, up to 5 s"'))),
        "the line of the drain",
      )
      yield* connection.send(switching(message))
      assert.strictEqual(yield* client.gone, "finished")
      const end = new TunnelEnd(client, client.text.indexOf("\r\n\r\n") + 4)
      assert.deepStrictEqual(end.story, ["8 1001 the proxy is shutting down"])
      yield* client.finish
      yield* Fiber.join(draining)
      assert.isFalse(proxy.log.some((line) => /message=cut\b/.test(line)))
    }),
  )
})
