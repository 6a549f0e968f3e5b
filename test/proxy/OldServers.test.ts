import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, LogLevel } from "effect"
import { repairs } from "../../src/wire/Repairs.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { answer, bareRequest, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { type Lab, type LabOptions, startLab } from "../support/Lab.js"
import { answering, inTurn, saying } from "../support/RawOrigin.js"
import { frame } from "../websocket/Frames.js"
import { handshake, switching } from "../websocket/Tunnel.js"

const get = request("GET /app/x?token=hunter2", ["X-Request-Id: order-17"])
const clean = answer("200 OK", "clean")
const chunked = "Transfer-Encoding: chunked"
const bare = (text: string): string => text.replaceAll("\r\n", "\n")

/** What a server says, what the client gets of it, and what the log says for debugging. */
interface Old {
  readonly what: string
  readonly bytes: string
  readonly method?: string
  readonly status?: number
  /** Fields that the client must get, and names that it must not get. */
  readonly fields?: ReadonlyArray<string>
  readonly without?: ReadonlyArray<string>
  readonly text?: string
  /** Whether the answer ends with the connection. */
  readonly finish?: boolean
  readonly repair: string
}

const always: ReadonlyArray<Old> = [
  {
    what: "a space before a colon",
    bytes: answer("200 OK", "hello", ["X-XSS-Protection : 1", "Set-Cookie \t: secret=1"]),
    fields: ["X-XSS-Protection: 1", "Set-Cookie: secret=1"],
    repair: `whitespace before a colon was removed: line 3 of the head, \\"X-XSS-Protection\\"`,
  },
  {
    what: "two Content-Length that agree",
    bytes: response("200 OK", ["Content-Length: 5", "X-A: 1", "content-length: 5"], "hello"),
    fields: ["Content-Length: 5", "X-A: 1"],
    repair: "Content-Length, said more than once with one value, was made one",
  },
  {
    what: "a list of Content-Length that agree",
    bytes: response("200 OK", ["Content-Length: 5, 5,5"], "hello"),
    fields: ["Content-Length: 5"],
    repair: "Content-Length, said more than once with one value, was made one",
  },
  {
    what: "Transfer-Encoding: identity before a length",
    bytes: response("200 OK", ["Transfer-Encoding: Identity", "Content-Length: 5"], "hello"),
    fields: ["Content-Length: 5"],
    without: ["transfer-encoding"],
    repair: "Transfer-Encoding: identity beside a Content-Length was dropped",
  },
  {
    what: "chunk sizes that are padded with spaces",
    bytes: response("200 OK", [chunked], "3  \r\nhel\r\n2 \r\nlo\r\n0   \r\n\r\n"),
    repair: "whitespace in a chunk-size line was dropped",
  },
  {
    what: "an empty line before the status line",
    bytes: `\r\n${answer("200 OK", "hello")}`,
    repair: "an empty line before the status line was left out",
  },
  {
    what: "an empty line between 103 and the final response",
    bytes: `${response("103 Early Hints", ["Link: <a>"])}\r\n${answer("200 OK", "hello")}`,
    repair: "an empty line before the status line was left out",
  },
  {
    what: "a length of a 103",
    bytes: `${response("103 Early Hints", ["Link: <a>", "Content-Length: 5"])}${answer("200 OK", "hello")}`,
    repair: "the content that a 1xx or 204 announces was taken off it",
  },
  {
    what: "a length of a 204, which nobody waits for",
    bytes: response("204 No Content", ["Content-Length: 5"]),
    status: 204,
    without: ["content-length"],
    text: "",
    repair: "the content that a 1xx or 204 announces was taken off it",
  },
  {
    what: "a 204 with a body",
    bytes: answer("204 No Content", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
    status: 204,
    without: ["content-length"],
    text: "",
    repair: "the content that a 1xx or 204 announces was taken off it",
  },
  ...["HEAD", "GET"].flatMap((method) =>
    [
      ["both framings", ["Content-Length: 0", chunked]],
      ["lengths that differ", ["Content-Length: 5", "Content-Length: 6"]],
      ["a length that is none", ["Content-Length: +5"]],
    ].map(([what, lines]) => ({
      what: `${what} in a ${method === "HEAD" ? "response to HEAD" : "304"}`,
      method,
      status: method === "HEAD" ? 200 : 304,
      bytes: response(method === "HEAD" ? "200 OK" : "304 Not Modified", ["X-A: 1", ...(lines ?? [])]),
      fields: ["X-A: 1"],
      without: ["content-length", "transfer-encoding"],
      text: "",
      repair: "framing fields of a response without content, which cannot be believed, were dropped",
    })),
  ),
]

const leniently: ReadonlyArray<Old> = [
  {
    what: "bare line feeds in the head",
    bytes: `${bare(response("200 OK", ["X-A: 1", "Content-Length: 5"]))}hello`,
    fields: ["X-A: 1"],
    repair: "a line feed without a carriage return was taken for a line end",
  },
  {
    what: "bare line feeds in the head of HTTP/1.0, before a body with empty lines",
    bytes: "HTTP/1.0 200 OK\nX-A: 1\n\nhello\r\n\r\nyou",
    fields: ["X-A: 1"],
    text: "hello\r\n\r\nyou",
    finish: true,
    repair: "a line feed without a carriage return was taken for a line end",
  },
  {
    what: "bare line feeds in heads, chunks and trailers",
    bytes: bare(
      `${response("103 Early Hints", ["Link: <a>"])}${response("200 OK", [chunked])}${chunk("hel")}${chunk("lo")}${lastChunk(["X-T: 1"])}`,
    ),
    repair: "a line feed without a carriage return was taken for a line end",
  },
  {
    what: "both framings, of which the chunks count",
    bytes: response("200 OK", ["Content-Length: 3", chunked, "X-A: 1"], chunk("hello") + lastChunk()),
    fields: ["X-A: 1", chunked],
    without: ["content-length"],
    repair: "Content-Length beside Transfer-Encoding: chunked was dropped",
  },
  {
    what: "chunked twice, in two fields",
    bytes: response("200 OK", [chunked, chunked], chunk("hello") + lastChunk()),
    repair: `chunked, said more than once in Transfer-Encoding, was taken once: line 3 of the head, \\"${chunked}\\"`,
  },
  {
    what: "chunked twice, in a list",
    bytes: response("200 OK", ["Transfer-Encoding: chunked, Chunked"], chunk("hello") + lastChunk()),
    repair: "chunked, said more than once in Transfer-Encoding, was taken once",
  },
  {
    what: "lines that are no field, with what is folded behind them",
    bytes: answer("200 OK", "hello", ["X-A: 1", "sid=secret", " secret", "X B: secret", ": secret", "X-C: 2"]),
    fields: ["X-A: 1", "X-C: 2"],
    without: ["x b", "b", ""],
    repair: `a line that is no field was dropped: line 4 of the head, behind \\"X-A\\"`,
  },
  {
    what: "whitespace before the first field",
    bytes: response("200 OK", [" X-A: secret", "Content-Length: 5"], "hello"),
    without: ["x-a"],
    repair: "a line that is no field was dropped: line 2 of the head",
  },
  {
    what: "folded lines",
    bytes: answer("200 OK", "hello", ["X-A: 1 ", "\t  2 ", " ", "  3", "X-B:", " 4"]),
    fields: ["X-A: 1 2 3", "X-B: 4"],
    repair: `a folded field line was joined: line 4 of the head, behind \\"X-A\\"`,
  },
]

const startLoudly = (options: LabOptions) =>
  startLab(options).pipe(Effect.provide(Logger.minimumLogLevel(LogLevel.Debug)))

const repairsOf = ({ proxy }: Lab) => proxy.log.filter((line) => line.includes("message=repaired"))

const checkAnswer = (got: HttpMessage, { fields = [], status = 200, text = "hello", without = [] }: Old): void => {
  assert.deepStrictEqual([got.status, got.text], [status, text])
  const lines = got.fields.map(([name, value]) => `${name}: ${value}`)
  for (const line of fields) assert.strictEqual(lines.filter((one) => one === line).length, 1, line)
  for (const name of without)
    assert.notInclude(
      got.names.map((one) => one.toLowerCase()),
      name,
    )
}

/** Asks twice: the second answer comes on another connection. */
const checkRepair = (old: Old, options: LabOptions) =>
  Effect.gen(function* () {
    const script = inTurn(saying(old.bytes, old.finish === true ? "finish" : "stay"), answering(clean))
    const lab = yield* startLoudly({ ...options, script })
    const client = yield* lab.proxy.connect
    checkAnswer(yield* client.ask(get.replace("GET", old.method ?? "GET")), old)
    yield* (yield* lab.origin.connection(0)).gone
    assert.strictEqual((yield* client.ask(get)).text, "clean")
    const [line = "", ...more] = repairsOf(lab)
    assert.include(line, old.repair)
    for (const text of ["level=DEBUG", "request_id=order-17", "session=app", "token=REDACTED"])
      assert.include(line, text)
    for (const other of [line, ...more]) assert.notInclude(other, "secret")
  })

describe("an answer that breaks the rules and can be read in one way", () => {
  for (const old of always)
    it.scopedLive(`is put right, which is logged for debugging, and its connection is dropped: ${old.what}`, () =>
      checkRepair(old, {}),
    )

  it.scopedLive("keeps its connection where a 204 only says that it has no content", () =>
    Effect.gen(function* () {
      const lab = yield* startLoudly({ script: answering(answer("204 No Content", "")) })
      const { origin, proxy } = lab
      const client = yield* proxy.connect
      for (let count = 0; count < 2; count++) {
        const got = yield* client.ask(get)
        assert.deepStrictEqual([got.status, got.value("content-length")], [204, undefined])
      }
      assert.lengthOf(origin.connections, 1)
      assert.include(repairsOf(lab)[0], repairs.needlessLength.done)
    }),
  )

  it("is here for every repair", () => {
    for (const { done, keepsConnection, leniently: isLenient } of Object.values(repairs)) {
      const tested = (isLenient ? leniently : always).some(({ repair }) => repair.startsWith(done))
      assert.isTrue(tested || keepsConnection, done)
    }
  })
})

describe("an answer that only a lenient reader takes", () => {
  for (const old of leniently) {
    it.scopedLive(`is put right with --lenient on: ${old.what}`, () =>
      checkRepair(old, { settings: { lenient: "on" } }),
    )

    it.scopedLive(`is 502 without: ${old.what}`, () =>
      Effect.gen(function* () {
        const lab = yield* startLab({ script: saying(old.bytes) })
        assert.strictEqual((yield* lab.ask(get)).status, 502)
        assert.notInclude(lab.proxy.log.join("\n"), "secret")
      }),
    )
  }

  it.scopedLive("is taken as the session's own policy says, from the next request on", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ script: saying(bare(answer("200 OK", "hello"))) })
      const statusWith = (lenient: "on" | "off" | null) =>
        Effect.gen(function* () {
          yield* proxy.repo.set("app", { policy: { lenient } })
          yield* Effect.sleep(10)
          return (yield* ask(get)).status
        })
      assert.deepStrictEqual(
        [yield* statusWith("on"), yield* statusWith("off"), yield* statusWith("on")],
        [200, 502, 200],
      )
      assert.strictEqual(yield* statusWith(null), 502)
    }),
  )

  it.scopedLive("is refused of one session where the flag takes it of all others", () =>
    Effect.gen(function* () {
      const { ask, origin, proxy } = yield* startLab({
        script: saying(bare(answer("200 OK", "hello"))),
        settings: { lenient: "on" },
      })
      yield* proxy.repo.add({ id: "strict", url: origin.url, status: "active", policy: { lenient: "off" } })
      assert.strictEqual((yield* ask(get)).status, 200)
      assert.strictEqual((yield* ask(request("GET /strict/x"))).status, 502)
    }),
  )

  it.scopedLive("may be the 101 of a WebSocket, whose first frame comes glued to it", () =>
    Effect.gen(function* () {
      const glued = frame(1, "early")
      const lab = yield* startLoudly({
        settings: { lenient: "on" },
        script: (connection) =>
          Effect.gen(function* () {
            const head = bare(switching(yield* connection.head, ["X-A: 1", " 2", "no field"]))
            yield* connection.send(Buffer.concat([Buffer.from(head, "latin1"), glued]))
          }),
      })
      const client = yield* lab.proxy.connect
      yield* client.send(handshake())
      yield* client.seen("early")
      assert.match(
        client.text,
        /^HTTP\/1\.1 101 Switching Protocols\r\n(?:[^\r\n]+\r\n)*X-A: 1 2\r\n(?:[^\r\n]+\r\n)*\r\n\x81\x05early$/,
      )
      assert.strictEqual(repairsOf(lab).length, 3)
    }),
  )

  it.scopedLive("is no 101 of a WebSocket without", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab({
        script: (connection) => Effect.flatMap(connection.head, (head) => connection.send(bare(switching(head)))),
      })
      assert.strictEqual((yield* ask(handshake())).status, 502)
    }),
  )
})

describe("a problem with an answer", () => {
  for (const [what, bytes, reason] of [
    [
      "a control byte in a cookie",
      answer("200 OK", "", ["Set-Cookie: sid=secret\x01"]),
      'a control byte stands in the value of a field (line 3 of the head, "Set-Cookie")',
    ],
    [
      "a folded cookie",
      answer("200 OK", "", ["Set-Cookie: a=secret;", " b=secret"]),
      'a field line is folded, or begins with whitespace (line 4 of the head, behind "Set-Cookie")',
    ],
    [
      "a line without a colon",
      answer("200 OK", "", ["secret=1"]),
      'a field name holds a byte that is not allowed in it, or no colon follows it (line 3 of the head, behind "Content-Length")',
    ],
    [
      "lengths that differ",
      response("200 OK", ["Content-Length: 5", "Content-Length: 6"], "hello"),
      'Content-Length is there more than once, with different values (line 3 of the head, "Content-Length: 6")',
    ],
    [
      "two framings",
      response("200 OK", ["Content-Length: 5", chunked], "hello"),
      'Content-Length and Transfer-Encoding are both there (line 3 of the head, "Transfer-Encoding: chunked")',
    ],
    [
      "a coding that is no framing",
      response("200 OK", ["Transfer-Encoding: identity"], "hello"),
      'Transfer-Encoding is something else than chunked (line 2 of the head, "Transfer-Encoding: identity")',
    ],
    [
      "a status line",
      'HTTP/1.1 2000 "secr\x07\r\n\r\n'.replace("secr", "O"),
      String.raw`the status is not one space and three digits from 100 on ("HTTP/1.1 2000 \x22O\x07")`,
    ],
    [
      "a field whose name has no end",
      answer("200 OK", "", [`${"a".repeat(100)} b`]),
      `whitespace stands between a field name and its colon (line 3 of the head, behind "Content-Length")`,
    ],
    [
      "a field whose name is very long",
      answer("200 OK", "", [`${"a".repeat(100)}: \0`]),
      `a control byte stands in the value of a field (line 3 of the head, "${"a".repeat(60)}…")`,
    ],
  ] as const)
    it.scopedLive(`names its line where operators look, without its value, and not to the client: ${what}`, () =>
      Effect.gen(function* () {
        const { ask, proxy } = yield* startLab({ script: saying(bytes) })
        const got = yield* ask(get)
        assert.strictEqual(got.status, 502)
        assert.notInclude(got.text, "line ")
        assert.deepStrictEqual(
          proxy.errors.find().map((failure) => failure.reason),
          [reason],
        )
        const [line = ""] = proxy.log
        assert.include(line, `problem=${JSON.stringify(reason)}`)
        assert.notInclude(line, "secret")
      }),
    )

  it.scopedLive("in a chunk names the chunk", () =>
    Effect.gen(function* () {
      const body = `${chunk("hello")}${chunk("you")}zz\r\n`
      const { ask, proxy } = yield* startLab({ script: saying(response("200 OK", [chunked], body)) })
      assert.strictEqual((yield* ask(get)).status, 502)
      assert.strictEqual(proxy.errors.find()[0]?.reason, "a chunk has no size in hexadecimal digits (chunk 3)")
    }),
  )
})

describe("a 426 of the server", () => {
  const refusal = answer("426 Upgrade Required", "upgrade", [
    "Upgrade: TLS/1.2",
    "Connection: Upgrade",
    "Upgrade: HTTP/3",
  ])

  for (const [what, bytes, connection] of [
    ["to HTTP/1.1", get, "Upgrade"],
    ["to HEAD", request("HEAD /app/x"), "Upgrade"],
    ["to HTTP/1.0", bareRequest("GET /app/x").replace("HTTP/1.1", "HTTP/1.0"), "close, Upgrade"],
    ["to a handshake", handshake(), "close, Upgrade"],
  ] as const)
    it.scopedLive(`keeps its Upgrade, which says what to upgrade to: ${what}`, () =>
      Effect.gen(function* () {
        const { ask } = yield* startLab({ script: answering(refusal) })
        const got = yield* ask(bytes)
        assert.strictEqual(got.status, 426)
        assert.strictEqual(got.value("upgrade"), "TLS/1.2, HTTP/3")
        assert.strictEqual(got.value("connection"), connection)
        assert.strictEqual(got.text, what === "to HEAD" ? "" : "upgrade")
      }),
    )
})
