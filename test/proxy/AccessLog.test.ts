import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer, chunk, request, response } from "../support/HttpText.js"
import { hello, startLab } from "../support/Lab.js"
import type { RawClient } from "../support/RawClient.js"
import { answering, inTurn, saying, type Script, silent } from "../support/RawOrigin.js"

const part = request("POST /app/x", ["Content-Length: 100000"], "part")
const inChunks = request("POST /app/x", ["Transfer-Encoding: chunked"], chunk("part"))
const streaming = saying(response("200 OK", ["Transfer-Encoding: chunked"], chunk("first")))
const early: Script = (connection) => Effect.zipRight(connection.head, connection.send(answer("413 X", "no")))
const leave = (client: RawClient) => client.reset

/** Ways of a request to its end: what the server does, what is sent, what the client waits for and does then. */
const ways: ReadonlyArray<
  readonly [
    what: string,
    status: number,
    end: string,
    script: Script,
    text: string,
    seen: "server" | "client" | "nobody",
    then: (client: RawClient) => Effect.Effect<unknown, unknown>,
  ]
> = [
  ["that is answered", 200, "complete", answering(hello), request("GET /app/x"), "client", () => Effect.void],
  ["that the proxy answers", 404, "complete", silent, request("GET /nobody/x"), "client", () => Effect.void],
  ["that the server breaks", 502, "complete", saying("", "reset"), request("GET /app/x"), "client", () => Effect.void],
  ["whose chunks are none", 400, "complete", silent, inChunks, "server", (client) => client.send("zz\r\n")],
  ["whose client leaves while the server thinks", 0, "client", silent, request("GET /app/x"), "server", leave],
  ["whose client leaves while it sends", 0, "client", silent, part, "server", leave],
  ["whose client leaves while it sends chunks", 0, "client", silent, inChunks, "server", leave],
  ["whose client leaves while it is answered", 200, "client", streaming, request("GET /app/x"), "client", leave],
  ["that is answered early", 413, "complete", early, part, "client", (client) => client.gone],
  ["whose client stops sending", 408, "complete", silent, part, "server", (client) => client.response("POST")],
]

const valueIn = (line: string, key: string): string | undefined =>
  new RegExp(`(?:^| )${key}=(\\w+)(?: |$)`).exec(line)?.[1]

describe("the access log", () => {
  for (const [what, status, end, script, text, seen, then] of ways) {
    it.scopedLive(`has one line for a request ${what}`, () =>
      Effect.gen(function* () {
        const { origin, proxy } = yield* startLab({ script, settings: { accessLog: true, bodyTimeout: 200 } })
        const client = yield* proxy.connect
        yield* client.send(text)
        if (seen === "server") yield* origin.seen("\r\n\r\n")
        if (seen === "client") yield* client.head
        yield* then(client)
        yield* proxy.quiet
        const lines = () => proxy.log.filter((line) => /message=request\b/.test(line))
        while (lines().length === 0) yield* Effect.sleep(2)
        client.socket.destroy()
        yield* Effect.sleep(20)
        assert.deepStrictEqual(
          lines().map((line) => [valueIn(line, "status"), valueIn(line, "end")]),
          [[String(status), end]],
        )
      }),
    )
  }

  it.scopedLive("tells a response that broke off, and by whom, from one that is whole", () =>
    Effect.gen(function* () {
      const lines = ["Content-Length: 100"]
      const broken: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.request
          yield* connection.send(response("200 OK", lines, "half"))
          yield* connection.finish
        })
      const half = saying(response("200 OK", lines, "half"))
      const { origin, proxy } = yield* startLab({ script: inTurn(broken, half), settings: { accessLog: true } })
      const [one, other] = [yield* proxy.connect, yield* proxy.connect]
      yield* one.send(request("GET /app/x"))
      yield* one.gone
      yield* other.send(request("GET /app/x"))
      yield* other.seen("half")
      yield* proxy.repo.remove("app")
      yield* other.gone
      yield* proxy.quiet
      assert.strictEqual(origin.connections.length, 2)
      assert.deepStrictEqual(
        proxy.log.filter((line) => /message=request\b/.test(line)).map((line) => valueIn(line, "end")),
        ["server", "session"],
      )
    }),
  )

  it.scopedLive("has the cause of an answer of the proxy's own", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ settings: { accessLog: true } })
      yield* ask(request("GET /nobody/x"))
      yield* ask(request("GET /app/x"))
      yield* proxy.quiet
      assert.deepStrictEqual(
        proxy.log.filter((line) => /message=request\b/.test(line)).map((line) => valueIn(line, "cause")),
        ["session_not_found", undefined],
      )
    }),
  )

  it.scopedLive("names the session of a request that the proxy refuses, and counts what it answered", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ settings: { accessLog: true } })
      yield* proxy.repo.add({ id: "asleep", url: origin.url, status: "paused" })
      const client = yield* proxy.connect
      const sizes: Array<string> = []
      for (const target of ["asleep", "nobody", "ws/nobody"])
        sizes.push(String((yield* client.ask(request(`GET /${target}`))).body.length))
      yield* client.send(request("HEAD /nobody"))
      yield* client.response("HEAD")
      sizes.push(String((yield* client.ask(request("TRACE /asleep"))).body.length))
      const lines = () => proxy.log.filter((line) => /message=request\b/.test(line))
      while (lines().length < 5) yield* Effect.sleep(2)
      assert.deepStrictEqual(
        lines().map((line) => [valueIn(line, "session"), valueIn(line, "bytes_out")]),
        [
          ["asleep", sizes[0]],
          ["nobody", sizes[1]],
          ["nobody", sizes[2]],
          ["nobody", "0"],
          ["asleep", sizes[3]],
        ],
      )
      const [failed = ""] = proxy.log.filter((line) => /message=failed\b/.test(line))
      assert.deepStrictEqual(
        ["status", "reason", "session"].map((key) => valueIn(failed, key)),
        ["503", "paused", "asleep"],
      )
    }),
  )

  it.scopedLive("says whether a request was sent again on a fresh connection", () =>
    Effect.gen(function* () {
      const stale: Script = (connection) =>
        Effect.gen(function* () {
          yield* connection.request
          yield* connection.send(hello)
          yield* connection.request
          yield* connection.finish
        })
      const { proxy } = yield* startLab({ script: inTurn(stale, answering(hello)), settings: { accessLog: true } })
      const client = yield* proxy.connect
      yield* client.ask(request("GET /app/x"))
      yield* client.ask(request("GET /app/x"))
      yield* proxy.quiet
      assert.deepStrictEqual(
        proxy.log.map((line) => valueIn(line, "retries")),
        [undefined, "1"],
      )
    }),
  )
})
