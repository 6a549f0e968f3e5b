import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { patience } from "../support/Changes.js"
import { answer, bareRequest, chunk, lastChunk, request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { answering, inTurn, saying, type Script, silent } from "../support/RawOrigin.js"

const get = request("GET /app/x")

describe("a response", () => {
  for (const [status, reason] of [
    [200, "OK"],
    [200, "Wonderful, isn't it"],
    [200, ""],
    [200, "caf\xe9"],
    [201, "Created"],
    [206, "Partial Content"],
    [299, "Custom"],
    [401, "Unauthorized"],
    [404, "Not Found"],
    [418, "I'm a teapot"],
    [500, "Internal Server Error"],
    [502, "Bad Gateway"],
    [503, "Service Unavailable"],
    [599, "x"],
    [600, "Beyond"],
    [999, "Last"],
  ] as const) {
    it.scopedLive(`keeps status ${status} with the reason "${reason}", and its body`, () =>
      Effect.gen(function* () {
        const { ask } = yield* startLab({ script: answering(answer(`${status} ${reason}`, "body\0\xff")) })
        const got = yield* ask(get)
        assert.strictEqual(got.startLine, `HTTP/1.1 ${status} ${reason}`)
        assert.strictEqual(got.text, "body\0\xff")
        assert.deepStrictEqual([got.value("proxy-status"), got.value("x-request-id")], [undefined, undefined])
      }),
    )
  }

  it.scopedLive("may leave out the space before an empty reason", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab({ script: answering("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok") })
      const got = yield* ask(get)
      assert.deepStrictEqual([got.status, got.text], [200, "ok"])
    }),
  )

  for (const status of ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 x"]) {
    it.scopedLive(`that redirects (${status}) is relayed, not followed`, () =>
      Effect.gen(function* () {
        const { origin, ask } = yield* startLab({ script: answering(answer(status, "", ["Location: /app/y"])) })
        const got = yield* ask(get)
        assert.strictEqual(got.startLine, `HTTP/1.1 ${status}`)
        assert.strictEqual(got.value("location"), "/app/y")
        assert.strictEqual(origin.requests.length, 1)
      }),
    )
  }

  it.scopedLive("to HEAD has no body and keeps its Content-Length; the connection stays in step", () =>
    Effect.gen(function* () {
      const head = response("200 OK", ["Content-Length: 1234", "ETag: x"])
      const { origin, proxy } = yield* startLab({ script: answering(head, answer("200 OK", "next")) })
      const client = yield* proxy.connect
      const got = yield* client.ask(request("HEAD /app/x"))
      assert.deepStrictEqual([got.value("content-length"), got.value("etag")], ["1234", "x"])
      assert.strictEqual((yield* client.ask(get)).text, "next")
      assert.strictEqual(origin.connections.length, 1)
    }),
  )

  it.scopedLive("to HEAD may be chunked or say nothing of its length, and has no body all the same", () =>
    Effect.gen(function* () {
      const heads = [response("200 OK", ["Transfer-Encoding: chunked"]), response("200 OK", ["A: 1"])] as const
      const { proxy } = yield* startLab({ script: answering(...heads, answer("200 OK", "next")) })
      const client = yield* proxy.connect
      for (const _ of heads) {
        const got = yield* client.ask(request("HEAD /app/x"))
        assert.deepStrictEqual(
          [got.status, got.value("connection"), got.value("content-length")],
          [200, "keep-alive", undefined],
        )
      }
      assert.strictEqual((yield* client.ask(get)).text, "next")
    }),
  )

  for (const status of ["204 No Content", "304 Not Modified"]) {
    it.scopedLive(`${status} has no body, keeps its fields, and the connection stays in step`, () =>
      Effect.gen(function* () {
        const bare = response(status, status.startsWith("304") ? ["Content-Length: 1234", "ETag: x"] : ["ETag: x"])
        const { origin, proxy } = yield* startLab({ script: answering(bare, answer("200 OK", "next")) })
        const client = yield* proxy.connect
        const got = yield* client.ask(get)
        assert.strictEqual(got.startLine, `HTTP/1.1 ${status}`)
        assert.strictEqual(got.value("content-length"), status.startsWith("304") ? "1234" : undefined)
        assert.strictEqual(got.value("transfer-encoding"), undefined)
        assert.strictEqual((yield* client.ask(get)).text, "next")
        assert.strictEqual(origin.connections.length, 1)
      }),
    )
  }

  it.scopedLive(
    "without a body keeps a Content-Length that says there is one, but for 204, and the connection stays in step",
    () =>
      Effect.gen(function* () {
        for (const [line, status] of [
          ["GET", "204 No Content"],
          ["GET", "304 Not Modified"],
          ["HEAD", "200 OK"],
          ["HEAD", "404 Not Found"],
        ] as const) {
          const next = answering(answer("200 OK", "next"))
          const { proxy } = yield* startLab({
            script: inTurn(answering(response(status, ["Content-Length: 5"]), answer("200 OK", "next")), next),
          })
          const client = yield* proxy.connect
          const got = yield* client.ask(request(`${line} /app/x`))
          const length = status.startsWith("204") ? undefined : "5"
          assert.deepStrictEqual([got.startLine, got.value("content-length")], [`HTTP/1.1 ${status}`, length])
          assert.strictEqual((yield* client.ask(get)).text, "next")
        }
      }),
  )

  it.scopedLive("announces trailers only where it is in chunks", () =>
    Effect.gen(function* () {
      const lines = ["Trailer: X-Sum", "A: 1"]
      const inChunks = response(
        "200 OK",
        ["Transfer-Encoding: chunked", ...lines],
        chunk("ab") + lastChunk(["X-Sum: 1"]),
      )
      const headOnly = response("200 OK", ["Transfer-Encoding: chunked", ...lines])
      for (const [what, bytes, line, expected] of [
        ["in chunks", inChunks, "GET /app/x", "X-Sum"],
        ["to HEAD", headOnly, "HEAD /app/x", undefined],
        ["of a length", answer("200 OK", "ab", lines), "GET /app/x", undefined],
        ["without content", response("204 No Content", lines), "GET /app/x", undefined],
        ["not modified", response("304 Not Modified", lines), "GET /app/x", undefined],
      ] as const) {
        const { ask } = yield* startLab({ script: answering(bytes) })
        const got = yield* ask(request(line))
        assert.deepStrictEqual([got.value("trailer"), got.value("a")], [expected, "1"], what)
        assert.deepStrictEqual(got.trailers, expected === undefined ? [] : [["X-Sum", "1"]], what)
      }
      const old = yield* startLab({ script: answering(inChunks) })
      const got = yield* old.ask(get.replace("HTTP/1.1", "HTTP/1.0"))
      assert.deepStrictEqual([got.value("trailer"), got.value("content-length"), got.text], [undefined, "2", "ab"])
    }),
  )

  it.scopedLive("says the date that its server says, and that of this moment where it says none", () =>
    Effect.gen(function* () {
      const date = "Date: Thu, 01 Jan 1970 00:00:00 GMT"
      const moving = (lines: ReadonlyArray<string>) => response("200 OK", ["Transfer-Encoding: chunked", ...lines])
      for (const [bytes, dates] of [
        [answer("200 OK", "hi", [date]), [date.slice(6)]],
        [answer("200 OK", "hi", [date, "date: x"]), [date.slice(6), "x"]],
        [answer("200 OK", "hi"), undefined],
        [answer("500 Oh", "hi"), undefined],
        [response("304 Not Modified"), undefined],
        [response("204 No Content"), undefined],
        [response("304 Not Modified", [date]), [date.slice(6)]],
        [moving([date]), [date.slice(6)]],
        [moving([]), undefined],
      ] as const) {
        const { proxy } = yield* startLab({ script: saying(bytes) })
        const client = yield* proxy.connect
        yield* client.send(get)
        const found = (yield* client.head).values("date")
        if (dates !== undefined) assert.deepStrictEqual(found, dates)
        else assert.isAtMost(Math.abs(Date.parse(found.join("|")) - Date.now()), patience)
        client.socket.destroy()
      }
    }),
  )

  for (const [what, line, bytes] of [
    [
      "HEAD, both framing fields",
      "HEAD",
      response("200 OK", ["Content-Length: 0", "Transfer-Encoding: chunked", "A: 1"]),
    ],
    ["HEAD, two lengths", "HEAD", response("200 OK", ["Content-Length: 5", "Content-Length: 6", "A: 1"])],
    ["HEAD, a coding that nobody knows", "HEAD", response("200 OK", ["Transfer-Encoding: x", "A: 1"])],
    [
      "304, both framing fields",
      "GET",
      response("304 Not Modified", ["Content-Length: 5", "Transfer-Encoding: chunked", "A: 1"]),
    ],
    ["304, a length that is none", "GET", response("304 Not Modified", ["Content-Length: +5", "A: 1"])],
    ["204, chunks", "GET", response("204 No Content", ["Transfer-Encoding: chunked", "A: 1"])],
    [
      "204, both framing fields",
      "GET",
      response("204 No Content", ["Content-Length: 5", "Transfer-Encoding: chunked", "A: 1"]),
    ],
  ] as const) {
    it.scopedLive(`ends with its head whatever its framing fields say, and says nothing false: ${what}`, () =>
      Effect.gen(function* () {
        const next = answer("200 OK", "next")
        const { origin, proxy } = yield* startLab({ script: inTurn(answering(bytes), answering(next)) })
        const client = yield* proxy.connect
        const got = yield* client.ask(request(`${line} /app/x`))
        assert.deepStrictEqual([got.startLine, got.value("a")], [bytes.split("\r\n", 1)[0], "1"])
        assert.deepStrictEqual([got.value("content-length"), got.value("transfer-encoding")], [undefined, undefined])
        // A body may follow nevertheless, which must not be read as the next answer.
        assert.strictEqual((yield* client.ask(get)).text, "next")
        assert.strictEqual(origin.connections.length, 2)
      }),
    )
  }

  it.scopedLive("that is interim goes without a length and a transfer coding", () =>
    Effect.gen(function* () {
      for (const line of ["Content-Length: 0", "content-length: 5", "Transfer-Encoding: chunked"]) {
        const early = response("103 Early Hints", ["Link: </a>", line])
        const { proxy } = yield* startLab({ script: answering(early + answer("200 OK", "hi")) })
        const client = yield* proxy.connect
        assert.strictEqual((yield* client.ask(get)).text, "hi")
        const [interim] = client.text.split("\r\n\r\n")
        assert.strictEqual(interim, "HTTP/1.1 103 Early Hints\r\nLink: </a>")
      }
    }),
  )

  it.scopedLive("loses blanks before its colons (RFC 9112 section 5.1)", () =>
    Effect.gen(function* () {
      const bytes = response("200 OK", ["X-XSS-Protection : 1", "Content-Length \t: 2", "Server\t: x"], "hi")
      const { ask } = yield* startLab({ script: answering(bytes) })
      const got = yield* ask(get)
      assert.strictEqual(got.text, "hi")
      assert.deepStrictEqual(got.fields.slice(0, 3), [
        ["X-XSS-Protection", "1"],
        ["Content-Length", "2"],
        ["Server", "x"],
      ])
    }),
  )

  it.scopedLive("may have blanks in its chunk-size lines (RFC 9112 section 7.1.1)", () =>
    Effect.gen(function* () {
      const body = '2   \r\nab\r\n2 ;a=b\r\ncd\r\n2; a = "b c" ;d \r\nef\r\n0  \r\n\r\n'
      const { ask } = yield* startLab({ script: answering(response("200 OK", ["Transfer-Encoding: chunked"], body)) })
      assert.strictEqual((yield* ask(get)).text, "abcdef")
    }),
  )

  it.scopedLive("426 keeps its Upgrade, and Connection names that (RFC 9110 section 15.5.22)", () =>
    Effect.gen(function* () {
      const bytes = answer("426 Upgrade Required", "hi", ["Upgrade: x/2", "Connection: upgrade"])
      const { ask } = yield* startLab({ script: answering(bytes) })
      const got = yield* ask(get)
      assert.deepStrictEqual([got.values("upgrade"), got.values("connection")], [["x/2"], ["Upgrade"]])
    }),
  )

  it.scopedLive("keeps a Content-Length of 0 with 304, and loses it with 204", () =>
    Effect.gen(function* () {
      for (const [status, length] of [
        ["204 No Content", undefined],
        ["304 Not Modified", "0"],
      ] as const) {
        const { ask } = yield* startLab({ script: answering(response(status, ["Content-Length: 0"])) })
        assert.strictEqual((yield* ask(get)).value("content-length"), length)
      }
    }),
  )

  it.scopedLive("may be preceded by 103 and 102, each with its own fields", () =>
    Effect.gen(function* () {
      const hints = response("103 Early Hints", [
        "Link: </a>; rel=preload",
        "Link: </b>",
        "Connection: X-Hop",
        "X-Hop: 1",
      ])
      const script = saying(hints + response("102 Processing") + answer("200 OK", "hello", ["A: 1"]))
      const { ask } = yield* startLab({ script })
      const got = yield* ask(get)
      assert.deepStrictEqual(
        got.interim.map(({ status, fields }) => [status, fields]),
        [
          [
            103,
            [
              ["Link", "</a>; rel=preload"],
              ["Link", "</b>"],
            ],
          ],
          [102, []],
        ],
      )
      assert.deepStrictEqual([got.text, got.value("a")], ["hello", "1"])
    }),
  )

  it.scopedLive("sends 103 on as it comes, and spares a client of HTTP/1.0", () =>
    Effect.gen(function* () {
      const hints = response("103 Early Hints", ["Link: </a>"])
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.request
          yield* connection.send(hints)
        })
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(get)
      assert.strictEqual((yield* client.head).status, 103)
      yield* (yield* origin.connection()).send(answer("200 OK", "hello"))
      assert.strictEqual((yield* client.response()).text, "hello")
      const old = yield* startLab({ script: saying(hints + answer("200 OK", "hello")) })
      const got = yield* old.ask(get.replace("HTTP/1.1", "HTTP/1.0"))
      assert.deepStrictEqual([got.interim.length, got.text], [0, "hello"])
    }),
  )

  it.scopedLive("has trailers where it was chunked, announced or not", () =>
    Effect.gen(function* () {
      const trailers = lastChunk(["X-Sum: abc", "x-sum: \xe9", "Server-Timing: a"])
      for (const announced of [["Trailer: X-Sum"], []]) {
        const lines = [...announced, "Transfer-Encoding: chunked"]
        const { ask } = yield* startLab({ script: answering(response("200 OK", lines, chunk("ab") + trailers)) })
        const got = yield* ask(request("GET /app/x", ["TE: trailers"]))
        assert.strictEqual(got.text, "ab")
        assert.deepStrictEqual(got.trailers, [
          ["X-Sum", "abc"],
          ["x-sum", "\xe9"],
          ["Server-Timing", "a"],
        ])
      }
    }),
  )

  it.scopedLive("of 3 MiB arrives byte for byte, with a length, in chunks, and until close", () =>
    Effect.gen(function* () {
      const body = Buffer.alloc(3 << 20, "0123456789\xe9\x00", "latin1").toString("latin1")
      for (const script of [
        answering(answer("200 OK", body)),
        answering(response("200 OK", ["Transfer-Encoding: chunked"], chunk(body) + lastChunk())),
        saying(response("200 OK", [], body), "finish"),
      ]) {
        const { ask } = yield* startLab({ script })
        assert.isTrue((yield* ask(get)).text === body)
      }
    }),
  )

  it.scopedLive("is not overwritten by what is read behind it in the same turn, whatever its first piece is like", () =>
    Effect.gen(function* () {
      // One read of the proxy, to the byte: the next follows at once.
      const readSize = 65_536
      const rest = "b".repeat(40_000)
      for (const size of [16_383, 16_384, 16_385]) {
        const first = "a".repeat(size)
        const [start, end] = [
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Long: ",
          `\r\n\r\n${size.toString(16)}\r\n`,
        ]
        const filling = "x".repeat(readSize - start.length - end.length - size)
        const script = answering(`${start}${filling}${end}${first}\r\n${chunk(rest)}${chunk(rest)}${lastChunk()}`)
        const { ask } = yield* startLab({ script })
        assert.isTrue((yield* ask(get)).text === first + rest + rest)
      }
    }),
  )

  it.scopedLive("reaches the client as it is written: head first, then each event", () =>
    Effect.gen(function* () {
      for (const chunked of [true, false]) {
        const frame = (data: string) => (chunked ? chunk(data) : data)
        const lines = ["Content-Type: text/event-stream", ...(chunked ? ["Transfer-Encoding: chunked"] : [])]
        const { origin, proxy } = yield* startLab({ script: saying(response("200 OK", lines)) })
        const client = yield* proxy.connect
        yield* client.send(get)
        assert.strictEqual((yield* client.head).status, 200)
        const connection = yield* origin.connection()
        for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
          yield* connection.send(frame(event))
          yield* client.seen(event)
        }
        yield* chunked ? connection.send(lastChunk()) : connection.finish
        assert.strictEqual((yield* client.response()).text, "data: 1\n\ndata: 2\n\n")
      }
    }),
  )

  it.scopedLive("may arrive split at every byte", () =>
    Effect.gen(function* () {
      const whole = response("200 OK", ["Transfer-Encoding: chunked"], chunk("hello") + lastChunk(["T: 1"]))
      const script: Script = (connection) => Effect.zipRight(connection.request, connection.send(...whole))
      const { ask } = yield* startLab({ script })
      const got = yield* ask(get)
      assert.deepStrictEqual([got.text, got.trailers], ["hello", [["T", "1"]]])
    }),
  )
})

describe("old and closing ends", () => {
  it.scopedLive("a response until close ends for the client with a proper end of its own", () =>
    Effect.gen(function* () {
      const { ask } = yield* startLab({ script: saying("HTTP/1.1 200 OK\r\n\r\nuntil close", "finish") })
      const got = yield* ask(get)
      assert.deepStrictEqual([got.text, got.framing], ["until close", "chunked"])
    }),
  )

  // Elsewhere this cannot be told from a reset in its midst.
  it.runIf(process.platform === "linux")(
    "a response until close is whole where its server hangs up and has not read what the client sent",
    () =>
      Effect.gen(function* () {
        const { origin, proxy, ask } = yield* startLab({ script: silent })
        const client = yield* proxy.connect
        // More than the server's end of the connection reads ahead.
        const content = "a".repeat(500_000)
        yield* client.send(request("POST /app/x", [`Content-Length: ${content.length}`]))
        const connection = yield* origin.connection()
        yield* connection.seen("\r\n\r\n")
        yield* connection.stopReading
        yield* client.send(content)
        // An answer of the proxy's own behind it shows that the proxy has sent it on.
        yield* ask(request("GET /health"))
        // FIN, and RST right behind it, for something was not read.
        connection.socket.end("HTTP/1.0 403 Forbidden\r\n\r\nno entry", () => connection.socket.destroy())
        assert.strictEqual((yield* client.response()).text, "no entry")
        assert.deepStrictEqual(proxy.log, [])
      }).pipe(Effect.scoped, Effect.runPromise),
  )

  it.scopedLive("a server of HTTP/1.0 is answered for as HTTP/1.1", () =>
    Effect.gen(function* () {
      for (const lines of ["", "Content-Length: 3\r\n"]) {
        const { ask } = yield* startLab({ script: saying(`HTTP/1.0 200 OK\r\n${lines}\r\nold`, "finish") })
        const got = yield* ask(get)
        assert.deepStrictEqual([got.startLine, got.text], ["HTTP/1.1 200 OK", "old"])
      }
    }),
  )

  it.scopedLive("a client of HTTP/1.0 gets no chunks, and its connection is closed after the answer", () =>
    Effect.gen(function* () {
      const lines = ["Transfer-Encoding: chunked"]
      const { proxy } = yield* startLab({
        script: answering(response("200 OK", lines, chunk("ab") + chunk("cd") + lastChunk())),
      })
      for (const hosted of [["Host: h"], []]) {
        const client = yield* proxy.connect
        const got = yield* client.ask(bareRequest("GET /app/x", hosted).replace("HTTP/1.1", "HTTP/1.0"))
        assert.deepStrictEqual([got.status, got.text, got.value("transfer-encoding")], [200, "abcd", undefined])
        assert.strictEqual(yield* client.gone, "finished")
      }
    }),
  )

  it.scopedLive("a client of HTTP/1.0 that asks to keep its connection may do so, in step", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startLab()
      const client = yield* proxy.connect
      const old = request("GET /app/x", ["Connection: keep-alive"]).replace("HTTP/1.1", "HTTP/1.0")
      const got = yield* client.ask(old)
      assert.strictEqual(got.text, "hello")
      if (got.value("connection")?.toLowerCase() === "keep-alive")
        assert.strictEqual((yield* client.ask(old)).text, "hello")
      else assert.strictEqual(yield* client.gone, "finished")
    }),
  )

  it.scopedLive("a client that says Connection: close gets its answer and a closed connection", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab()
      const client = yield* proxy.connect
      const got = yield* client.ask(request("GET /app/x", ["Connection: close"]))
      assert.strictEqual(got.text, "hello")
      assert.strictEqual(got.value("connection")?.toLowerCase(), "close")
      assert.strictEqual(yield* client.gone, "finished")
      assert.strictEqual((yield* origin.request()).values("connection").includes("close"), false)
    }),
  )

  it.scopedLive("a server that says Connection: close does not cost the client its connection", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.request
          yield* connection.send(answer("200 OK", "bye", ["Connection: close"]))
          yield* connection.finish
        })
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      for (let count = 0; count < 3; count++) assert.strictEqual((yield* client.ask(get)).text, "bye")
      assert.strictEqual(origin.connections.length, 3)
    }),
  )
})
