import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import type { Script } from "../support/RawOrigin.js"
import { clientText } from "./Frames.js"
import { agreeing, deflateOffer, handshakeFields, key, openThrough, openTunnel, TunnelEnd } from "./Tunnel.js"

const withKey = (text: string, settings: Partial<ProxySettings> = {}, script: Script = agreeing()) =>
  Effect.gen(function* () {
    const lab = yield* startLab({ script, settings })
    const client = yield* lab.proxy.connect
    const fields = [
      ...handshakeFields.filter((line) => !line.startsWith("Sec-WebSocket-Key")),
      `Sec-WebSocket-Key: ${text}`,
    ]
    yield* client.send(request("GET /app/socket", fields))
    return { ...lab, client, head: yield* client.head }
  })

/** A 101 whose `Accept` is for this key. */
const agreeingFor =
  (text: string): Script =>
  (connection) =>
    Effect.gen(function* () {
      yield* connection.head
      const accept = createHash("sha1").update(`${text}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, "latin1").digest("base64")
      const fields = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`]
      yield* connection.send(response("101 Switching Protocols", fields))
    })

describe("the key of a device", () => {
  it.scopedLive.each(["x", "12345678", "a key with blanks", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "caf\u00e9"])(
    "that is not 16 bytes goes on to the server, and is answered for: %s",
    (text) =>
      Effect.gen(function* () {
        const { client, head, origin } = yield* withKey(text)
        assert.strictEqual(head.status, 101)
        assert.strictEqual((yield* origin.request()).value("sec-websocket-key"), text)
        const hello = clientText("hello")
        yield* client.send(hello)
        const server = TunnelEnd.of(yield* origin.connection())
        yield* server.seen(hello.length)
        assert.deepStrictEqual(server.story, ["1 hello"])
        yield* client.reset
      }),
  )

  it.scopedLive("that is not 16 bytes is checked against what the server answers all the same", () =>
    Effect.gen(function* () {
      const { head } = yield* withKey("x", {}, agreeingFor("y"))
      assert.strictEqual(head.status, 502)
    }),
  )

  it.scopedLive("must be 16 bytes with --ws-strict-key, and the server is not asked where it is not", () =>
    Effect.gen(function* () {
      const { head, origin } = yield* withKey("x", { wsStrictKey: true })
      assert.deepStrictEqual([head.status, origin.connections.length], [400, 0])
      assert.strictEqual((yield* withKey(key, { wsStrictKey: true })).head.status, 101)
    }),
  )
})

describe("the 101 for a device", () => {
  it.scopedLive("has the fields of the handshake in the spelling of the RFC, and all others in the server's", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          const message = yield* connection.head
          const hash = createHash("sha1").update(
            `${message.value("sec-websocket-key")}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
          )
          yield* connection.send(
            response("101 Switching Protocols", [
              "upgrade: WebSocket",
              "connection: upgrade",
              `sec-websocket-accept: ${hash.digest("base64")}`,
              "sec-websocket-protocol: chat",
              "SEC-WEBSOCKET-EXTENSIONS: permessage-deflate",
              "Sec-Websocket-Version: 13",
              "x-server: sec-websocket-accept",
              "sec-websocket-else: 1",
            ]),
          )
        })
      const { client } = yield* openTunnel({}, script, [deflateOffer])
      const [, ...lines] = client.raw.text.split("\r\n\r\n")[0]?.split("\r\n") ?? []
      assert.deepStrictEqual(
        lines.map((line) => line.replace(/(Accept): .*/, "$1: …")),
        [
          "Upgrade: websocket",
          "Connection: Upgrade",
          "Sec-WebSocket-Accept: …",
          "Sec-WebSocket-Protocol: chat",
          "Sec-WebSocket-Extensions: permessage-deflate",
          "Sec-WebSocket-Version: 13",
          "x-server: sec-websocket-accept",
          "sec-websocket-else: 1",
        ],
      )
    }),
  )
})

describe("a plain request on the WebSocket route", () => {
  it.scopedLive(
    "that still has the key of a handshake is told what a proxy in front has removed, and how to keep it",
    () =>
      Effect.gen(function* () {
        const { ask, origin } = yield* startLab()
        const kept = handshakeFields.filter((line) => line.startsWith("Sec-"))
        const told = yield* ask(request("GET /ws/app", ["Connection: close", ...kept]))
        assert.strictEqual(told.status, 426)
        for (const part of ["Upgrade and Connection", "proxy_http_version 1.1", "$http_upgrade"])
          assert.include(told.text, part)
        const plain = yield* ask(request("GET /ws/app"))
        assert.notInclude(plain.text, "nginx")
        assert.strictEqual(origin.connections.length, 0)
      }),
  )

  it.scopedLive("is not meant on the route of plain requests: there it goes to the server", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab()
      assert.strictEqual((yield* ask(request("GET /app/x", [`Sec-WebSocket-Key: ${key}`]))).status, 200)
    }),
  )
})

describe("the extensions that a client offers", () => {
  const offersOf = (id: string) => (lab: Effect.Effect.Success<ReturnType<typeof startLab>>) =>
    Effect.gen(function* () {
      const index = lab.origin.connections.length
      const { client } = yield* openThrough(lab, `/${id}/socket`, [deflateOffer, "Sec-WebSocket-Protocol: chat"])
      const message = yield* lab.origin.request(index)
      yield* client.raw.reset
      assert.strictEqual(message.value("sec-websocket-protocol"), "chat")
      return message.value("sec-websocket-extensions")
    })

  it.scopedLive("are hidden from all servers by --ws-extensions hide, but not where a session says relay", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing(), settings: { wsExtensions: "hide" } })
      const policy = { wsExtensions: "relay" } as const
      yield* lab.proxy.repo.add({ id: "browser", url: lab.origin.url, status: "active", policy })
      assert.strictEqual(yield* offersOf("app")(lab), undefined)
      assert.strictEqual(yield* offersOf("browser")(lab), deflateOffer.split(": ")[1])
    }),
  )

  it.scopedLive("are hidden from the server of a session that says so, from the next handshake on", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      assert.isDefined(yield* offersOf("app")(lab))
      yield* lab.proxy.repo.set("app", { policy: { wsExtensions: "hide" } })
      yield* Effect.sleep(10)
      assert.isUndefined(yield* offersOf("app")(lab))
      yield* lab.proxy.repo.set("app", { policy: { wsExtensions: null } })
      yield* Effect.sleep(10)
      assert.isDefined(yield* offersOf("app")(lab))
    }),
  )

  it.scopedLive("are not agreed to by a server that does not see them: 502", () =>
    Effect.gen(function* () {
      const script = agreeing(["Sec-WebSocket-Extensions: permessage-deflate"])
      const { proxy } = yield* startLab({ script, settings: { wsExtensions: "hide" } })
      const client = yield* proxy.connect
      const answer = yield* client.ask(request("GET /app/socket", [...handshakeFields, deflateOffer]))
      assert.strictEqual(answer.status, 502)
      assert.propertyVal(answer.json, "code", "downstream_protocol")
    }),
  )
})
