// What a user of the Rust program tries first, against what npm would publish, installed into an empty folder.
import { assert, layer } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { Context, Effect, Layer } from "effect"
import { type IncomingMessage, request as httpRequest } from "node:http"
import { text } from "node:stream/consumers"
import { ProxyProcess } from "../support/ProxyProcess.js"
import { openWs, refusedWs } from "../support/WsPeer.js"
import { install } from "./Installed.js"
import { StreamReader, TestServer, words } from "./TestServer.js"

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage["headers"]
  readonly text: string
}

class Packed extends Context.Tag("test/Packed")<Packed, { readonly url: string; readonly server: TestServer }>() {}

/** The program as a process of its own, and the sessions that another program has written. */
const packed = Layer.scoped(
  Packed,
  Effect.gen(function* () {
    const { folder, program } = yield* install(["better-sqlite3"])
    const server = yield* TestServer.start()
    const { database, url } = yield* ProxyProcess.startWith({ folder, program, sessions: { test: server.url } })
    const other = new Sqlite(database)
    other
      .prepare("INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, ?)")
      .run("asleep", server.url, "paused")
    other.close()
    return { url, server }
  }),
)

type Asking = { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }

/** Asks, and gives the answer as soon as its head is there. */
const headOf = (path: string, { body = "", headers = {}, method = "GET" }: Asking = {}) =>
  Effect.flatMap(Packed, ({ url }) =>
    Effect.async<IncomingMessage, Error>((resume) => {
      const asked = httpRequest(`${url}${path}`, { method, headers, agent: false }, (response) =>
        resume(Effect.succeed(response)),
      )
      asked.once("error", (error) => resume(Effect.fail(error)))
      asked.end(body)
    }),
  )

const ask = (path: string, asking?: Asking) =>
  Effect.gen(function* () {
    const response = yield* headOf(path, asking)
    const answer: Answer = {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text: yield* Effect.promise(() => text(response)),
    }
    return answer
  })

const jsonOf = ({ status, text }: Answer) => {
  assert.strictEqual(status, 200, text)
  return JSON.parse(text)
}

const asJson = { "Content-Type": "application/json" }

layer(packed, { excludeTestServices: true, timeout: 60_000 })("the packed program, installed", (it) => {
  it.effect("health", () =>
    Effect.gen(function* () {
      const { status, text } = yield* ask("/health")
      assert.deepStrictEqual([status, text], [200, "OK"])
    }),
  )

  it.effect("GET, with a query", () =>
    Effect.gen(function* () {
      const seen = jsonOf(yield* ask("/test/get?name=value&list=1%2C2"))
      assert.deepInclude(seen, {
        method: "GET",
        url: "/get?name=value&list=1%2C2",
        args: { name: "value", list: "1,2" },
      })
    }),
  )

  it.effect("POST, PUT and DELETE", () =>
    Effect.gen(function* () {
      for (const method of ["POST", "PUT"]) {
        const seen = jsonOf(
          yield* ask(`/test/${method.toLowerCase()}`, { method, headers: asJson, body: '{"key":"wörd"}' }),
        )
        assert.deepInclude(seen, { method, url: `/${method.toLowerCase()}`, json: { key: "wörd" } })
      }
      assert.deepInclude(jsonOf(yield* ask("/test/delete", { method: "DELETE" })), {
        method: "DELETE",
        url: "/delete",
        data: "",
      })
    }),
  )

  it.effect("a field of the client's own, and its User-Agent", () =>
    Effect.gen(function* () {
      const headers = { "X-Custom-Header": "custom value", "User-Agent": "my-agent/1.0" }
      const seen = jsonOf(yield* ask("/test/headers", { headers }))
      assert.deepInclude(seen.headers, { "x-custom-header": "custom value", "user-agent": "my-agent/1.0" })
    }),
  )

  it.effect("a deep path, and a JSON API", () =>
    Effect.gen(function* () {
      assert.strictEqual(jsonOf(yield* ask("/test/a/b%2Fc/d/e.json")).url, "/a/b%2Fc/d/e.json")
      const answer = yield* ask("/test/api/v1/items", {
        method: "POST",
        headers: { ...asJson, Accept: "application/json" },
        body: "[1]",
      })
      assert.deepStrictEqual(jsonOf(answer).json, [1])
      assert.strictEqual(answer.headers["content-type"], "application/json")
    }),
  )

  it.effect("404 and 503: of the proxy itself, and those of the server passed on", () =>
    Effect.gen(function* () {
      for (const [path, expected, code] of [
        ["/nobody/get", 404, "session_not_found"],
        ["/asleep/get", 503, "session_unavailable"],
      ] as const) {
        const { headers, status, text } = yield* ask(path)
        assert.strictEqual(status, expected)
        assert.strictEqual(JSON.parse(text).code, code)
        assert.isDefined(headers["proxy-status"])
      }
      for (const expected of [404, 503]) {
        const { headers, status, text } = yield* ask(`/test/status/${expected}`)
        assert.deepStrictEqual([status, text, headers["proxy-status"]], [expected, "", undefined])
      }
    }),
  )

  it.effect("stream-bytes/1024", () =>
    Effect.gen(function* () {
      const { status, text } = yield* ask("/test/stream-bytes/1024")
      assert.deepStrictEqual([status, text], [200, "s".repeat(1024)])
    }),
  )

  it.effect("stream/20: each line is there before the next one is sent", () =>
    Effect.gen(function* () {
      const { server } = yield* Packed
      const reader = new StreamReader(yield* headOf("/test/stream/20"))
      for (let count = 1; count <= 20; count++) {
        const lines = yield* reader.blocks(count, "\n")
        assert.strictEqual(lines.length, count)
        assert.strictEqual(JSON.parse(lines.at(-1) ?? "").id, count - 1)
        // Nothing holds up the end behind the last line.
        if (count < 20) assert.isFalse(reader.isOver)
        server.release()
      }
      yield* reader.over
    }),
  )

  it.effect(
    "a completion as a stream of events: the first word is there while the server still thinks of the second",
    () =>
      Effect.gen(function* () {
        const { server } = yield* Packed
        const body = JSON.stringify({ model: "test", stream: true, messages: [{ role: "user", content: "stream" }] })
        const head = yield* headOf("/test/v1/chat/completions", { method: "POST", headers: asJson, body })
        assert.strictEqual(head.headers["content-type"], "text/event-stream")
        const reader = new StreamReader(head)
        const [first = ""] = yield* reader.blocks(1, "\n\n")
        assert.include(first, words[0] ?? "")
        assert.isFalse(reader.isOver)
        server.releaseAll()
        const events = yield* reader.blocks(words.length + 1, "\n\n")
        yield* reader.over
        const said = events
          .slice(0, -1)
          .map((event) => JSON.parse(event.slice("data: ".length)).choices[0].delta.content)
        assert.strictEqual(said.join(""), words.join(""))
        assert.strictEqual(events.at(-1), "data: [DONE]")
      }),
  )

  it.scoped("WebSocket: text, bytes, and several messages in their order", () =>
    Effect.gen(function* () {
      const { url } = yield* Packed
      const peer = yield* openWs(`${url}/ws/test`)
      peer.socket.send("Hello, wörld")
      assert.strictEqual(yield* peer.message, "Hello, wörld")
      const bytes = Buffer.from([0, 1, 127, 128, 255])
      peer.socket.send(bytes)
      assert.deepStrictEqual(yield* peer.message, bytes)
      const several = Array.from({ length: 10 }, (_, at) => `message ${at}`)
      for (const message of several) peer.socket.send(message)
      for (const message of several) assert.strictEqual(yield* peer.message, message)
      peer.socket.close(1000)
      assert.strictEqual((yield* peer.closed).code, 1000)
    }),
  )

  it.scoped("WebSocket: an unknown session", () =>
    Effect.gen(function* () {
      const { url } = yield* Packed
      const { opened, status } = yield* refusedWs(`${url}/ws/nobody`)
      assert.deepStrictEqual([status, opened], [404, false])
    }),
  )
})
