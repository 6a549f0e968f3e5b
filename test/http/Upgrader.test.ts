import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { Socket } from "node:net"
import { BodyStages } from "../../src/http/BodyStages.js"
import { perChunk } from "../../src/wire/Stage.js"
import { answered, handshake, sent, startRequestLab, TestRequest, textOf } from "./RequestLab.js"

const switched = (fields: ReadonlyArray<string> = []) =>
  Effect.sync(() => ({
    _tag: "Switched" as const,
    head: { status: 101, reason: "Switching Protocols", fields: ["Upgrade", "websocket", ...fields] },
    socket: new Socket(),
    early: new Uint8Array(0),
  }))

describe("a WebSocket handshake on its way", () => {
  it.scoped("is put to the session's server, with its id behind the path", () =>
    Effect.gen(function* () {
      const agreed = switched(["Sec-WebSocket-Protocol", "chat"])
      const settings = { maxWebSockets: 1 }
      const { asked, upgrader } = yield* startRequestLab({ upgrade: agreed, settings })
      const request = handshake("/ws/alice/room?x", ["Sec-WebSocket-Protocol", "chat, other"])
      const upgrade = yield* upgrader.upgrade(request)
      if (upgrade._tag !== "SwitchedUpgrade") return assert.fail("the server did not agree")
      assert.strictEqual(asked[0]?.head.target, "/base/alice/room?x")
      assert.deepStrictEqual(
        [sent(asked[0], "upgrade"), sent(asked[0], "sec-websocket-protocol")],
        ["websocket", "chat, other"],
      )
      assert.include(upgrade.headText, "HTTP/1.1 101 Switching Protocols\r\n")
      assert.include(upgrade.headText, "Sec-WebSocket-Protocol: chat\r\n")
      assert.isFalse(upgrade.extensions)
      assert.deepStrictEqual([request.held, request.released], [1, 0])
    }),
  )

  it.scoped("knows whether an extension was negotiated", () =>
    Effect.gen(function* () {
      const { upgrader } = yield* startRequestLab({
        upgrade: switched(["Sec-WebSocket-Extensions", "permessage-deflate"]),
      })
      const upgrade = yield* upgrader.upgrade(handshake("/ws/alice"))
      assert.isTrue(upgrade._tag === "SwitchedUpgrade" && upgrade.extensions)
    }),
  )

  it.scoped("that the server does not agree to has that server's answer, behind the stages of its session", () =>
    Effect.gen(function* () {
      const loud = BodyStages.layer({
        download: () => [
          perChunk(
            () => ({
              chunk: (chunk) => Buffer.from(Buffer.from(chunk).toString().toUpperCase()),
              end: () => Buffer.from("!"),
            }),
            { resizes: true },
          ),
        ],
      })
      const { upgrader } = yield* startRequestLab({
        upgrade: Effect.succeed(answered("no", ["X-A", "1"])),
        hooks: loud,
      })
      const answer = yield* upgrader.upgrade(handshake("/ws/alice"))
      if (answer._tag !== "Answer") return assert.fail("the server agreed")
      assert.strictEqual(yield* textOf(answer), "NO!")
      assert.deepStrictEqual(answer.fields, ["X-A", "1"])
    }),
  )

  for (const [what, request, tag] of [
    ["of another method", new TestRequest("/ws/alice", handshake("/").fields, "POST"), "BadRequest"],
    ["without a key", new TestRequest("/ws/alice", ["Sec-WebSocket-Version", "13"]), "BadRequest"],
    ["of another version", new TestRequest("/ws/alice", ["Sec-WebSocket-Version", "8"]), "UpgradeRequired"],
    ["with two keys", handshake("/ws/alice", ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="]), "BadRequest"],
    ["with content", handshake("/ws/alice", ["Content-Length", "2"]), "BadRequest"],
    ["to a session that is not there", handshake("/ws/nobody"), "SessionNotFound"],
    ["to a session that does not forward", handshake("/bob/socket"), "SessionUnavailable"],
  ] as const) {
    it.scoped(`fails ${what}, and no server is asked`, () =>
      Effect.gen(function* () {
        const { asked, upgrader } = yield* startRequestLab()
        assert.strictEqual((yield* Effect.flip(upgrader.upgrade(request)))._tag, tag)
        assert.deepStrictEqual([asked, request.joined], [[], []])
      }),
    )
  }

  it.scoped("fails where its session has as many WebSockets as it may have, until one gives its place back", () =>
    Effect.gen(function* () {
      const { upgrader } = yield* startRequestLab({ upgrade: switched(), settings: { maxWebSocketsPerSession: 1 } })
      const first = handshake("/ws/alice")
      yield* upgrader.upgrade(first)
      assert.strictEqual((yield* Effect.flip(upgrader.upgrade(handshake("/ws/alice"))))._tag, "SessionLimit")
      first.release()
      assert.strictEqual((yield* upgrader.upgrade(handshake("/ws/alice")))._tag, "SwitchedUpgrade")
    }),
  )

  it.scoped("has its refusal at once, without a fiber, where nothing has to be waited for", () =>
    Effect.gen(function* () {
      const { upgrader } = yield* startRequestLab({ hooks: Layer.empty })
      assert.isTrue(Exit.isExit(upgrader.upgrade(new TestRequest("/ws/alice", [], "POST"))))
    }),
  )
})
