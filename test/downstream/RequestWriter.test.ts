import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { defaultSettings } from "../../src/domain/ProxyConfig.js"
import { RequestBroken } from "../../src/domain/ProxyError.js"
import { Connection } from "../../src/downstream/Connection.js"
import { Dialer } from "../../src/downstream/Dial.js"
import type { RequestBody } from "../../src/downstream/Downstream.js"
import { RequestWriter } from "../../src/downstream/RequestWriter.js"
import { bytes as bytesOf, empty } from "../../src/wire/Body.js"
import { RawOrigin, silent } from "../support/RawOrigin.js"
import { sessionAt, TestUpload } from "./DownstreamLab.js"

const head = { method: "PUT", target: "/x?\u00e9", fields: ["Host", "h", "X-A", "\u00ff", "X-A", ""] }
const headText = "PUT /x?\u00e9 HTTP/1.1\r\nHost: h\r\nX-A: \u00ff\r\nX-A: \r\n"

/** A writer on a real connection, and what it says of its progress. */
const startWriter = (body: RequestBody) =>
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(silent)
    const connection = yield* Effect.acquireRelease(
      Effect.async<Connection>((resume) => {
        new Dialer(defaultSettings).dial(sessionAt(origin.url).target, {
          connected: (socket) => resume(Effect.succeed(new Connection(socket))),
          failed: (error) => resume(Effect.die(error)),
        })
      }),
      (opened) => Effect.sync(() => opened.destroy()),
    )
    const progress: Array<string> = []
    const writer = new RequestWriter(connection.sink, head, body, {
      requestSent: () => void progress.push("sent"),
      serverIsBusy: (busy) => void progress.push(busy ? "busy" : "ready"),
      requestBroken: ({ problem }) => void progress.push(problem),
      requestDefect: () => void progress.push("defect"),
      writeFailed: () => void progress.push("failed"),
    })
    writer.start(() => assert.fail("a body without stages needs no fiber"))
    return { received: yield* origin.connection(), progress, writer }
  })

const bytes = (text: string, chunked: boolean, trailers: ReadonlyArray<string> = []): RequestBody =>
  bytesOf(Buffer.from(text, "latin1"), chunked, trailers)

describe("RequestWriter", () => {
  for (const [what, body, text] of [
    ["a head alone", empty, "\r\n"],
    ["content with its length", bytes("\u0000\u00ff", false), "\r\n\u0000\u00ff"],
    [
      "content as one chunk",
      bytes("\u00ff".repeat(17), true),
      `Transfer-Encoding: chunked\r\n\r\n11\r\n${"\u00ff".repeat(17)}\r\n0\r\n\r\n`,
    ],
    ["no content in chunks", bytes("", true), "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    [
      "trailers",
      bytes("a", true, ["T", "1", "t", "2"]),
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\nt: 2\r\n\r\n",
    ],
  ] as const) {
    it.scopedLive(`writes ${what}, byte for byte`, () =>
      Effect.gen(function* () {
        const { progress, received } = yield* startWriter(body)
        yield* received.seenBytes(headText.length + text.length)
        assert.strictEqual(received.text, headText + text)
        assert.deepStrictEqual(progress, ["sent"])
      }),
    )
  }

  for (const chunked of [true, false]) {
    it.scopedLive(`writes content in motion as it comes, ${chunked ? "in chunks" : "plain"}`, () =>
      Effect.gen(function* () {
        const upload = new TestUpload()
        const { progress, received } = yield* startWriter(upload.body(chunked))
        yield* received.seen("\r\n\r\n")
        upload.push("one")
        yield* received.seen("one")
        assert.deepStrictEqual(progress, [])
        upload.push("three")
        upload.source.end(["T", "1"])
        const text = chunked
          ? "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\nT: 1\r\n\r\n"
          : "\r\nonethree"
        yield* received.seenBytes(headText.length + text.length)
        assert.strictEqual(received.text, headText + text)
        assert.deepStrictEqual(progress, ["sent"])
      }),
    )
  }

  it.scopedLive("writes no end where the content broke off", () =>
    Effect.gen(function* () {
      const upload = new TestUpload()
      const { progress, received } = yield* startWriter(upload.body())
      upload.push("one")
      yield* received.seen("one")
      upload.source.fail(new RequestBroken({ problem: "gone" }))
      assert.deepStrictEqual(progress, ["gone"])
      assert.notInclude(received.text, "\r\n0\r\n")
    }),
  )

  it.scopedLive("waits for a server that takes no more, and says so", () =>
    Effect.gen(function* () {
      const upload = new TestUpload()
      const { progress, writer } = yield* startWriter(upload.body())
      upload.source.push(Buffer.alloc(8 << 20))
      assert.deepStrictEqual(progress, ["busy"])
      assert.isTrue(upload.paused)
      writer.drained()
      assert.deepStrictEqual(progress, ["busy", "ready"])
      assert.isFalse(upload.paused)
    }),
  )

  it.scopedLive("wants no more once it is stopped", () =>
    Effect.gen(function* () {
      const upload = new TestUpload()
      const { writer } = yield* startWriter(upload.body())
      writer.stop()
      writer.stop()
      yield* upload.refused
    }),
  )
})
