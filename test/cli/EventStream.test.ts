import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { createServer, type RequestListener } from "node:http"
import { openEvents } from "../../src/cli/admin/EventStream.js"

const text =
  'retry: 2000\n\n: a comment\n\nevent: put\nid: 7\ndata: {"id":"ä"}\n\r\n\ndata\ndata:two\r\ndata: lines\r\rid: 8\nevent: x\n\n'

const all = [
  { event: "put", data: '{"id":"ä"}', id: "7" },
  { event: "message", data: "\ntwo\nlines", id: "7" },
]

/** A server at a free port, for as long as the scope lasts; its base URL. */
const serving = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.async<{ readonly server: ReturnType<typeof createServer>; readonly url: string }>((resume) => {
      const server = createServer(listener)
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ server, url: `http://127.0.0.1:${port}` }))
      })
    }),
    ({ server }) => Effect.sync(() => server.closeAllConnections() ?? server.close()),
  )

describe("a stream of events, as the command line reads it", () => {
  it.scopedLive("ends where its server does, and fails where that breaks off or refuses", () =>
    Effect.gen(function* () {
      const { url } = yield* serving((request, response) => {
        assert.strictEqual(request.headers.authorization, "Bearer secret")
        if (request.url === "/whole") return void response.end(text)
        if (request.url === "/broken") return void response.write(text, () => response.destroy())
        response.writeHead(503, { "content-type": "application/problem+json" })
        return void response.end('{"detail":"Too many."}')
      })
      const eventsOf = (path: string) => Stream.unwrapScoped(openEvents({ url, token: "secret" }, path))
      const from = (path: string) => Stream.runCollect(eventsOf(path))
      assert.deepStrictEqual([...(yield* from("/whole"))], all)
      assert.match((yield* Effect.flip(from("/broken"))).problem, /no usable answer/)
      assert.match((yield* Effect.flip(from("/refused"))).problem, /Too many\./)
      const first = yield* Stream.runHead(eventsOf("/broken"))
      assert.strictEqual(first._tag, "Some")
    }),
  )
})
