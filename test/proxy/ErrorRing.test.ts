import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { RecordSinks } from "../../src/telemetry/RecordSinks.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { valueIn } from "../support/Numbers.js"
import { answering, saying } from "../support/RawOrigin.js"
import { jsonLog } from "../telemetry/Records.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"

/** An access log in memory. */
const accessLog = () => {
  const lines: Array<string> = []
  const sink = jsonLog("redact", (line) => void lines.push(line))
  return { lines, hooks: RecordSinks.layer(sink) }
}

describe("the id of a request that failed", () => {
  for (const [where, target] of [
    ["in the body of its answer", "/app/x?token=hunter2"],
    ["as a field of its answer", "/app/y?token=hunter2"],
  ] as const)
    it.scopedLive(`that a client was told ${where} finds it in the access log and in the ring`, () =>
      Effect.gen(function* () {
        const { lines, hooks } = accessLog()
        const { ask, proxy, origin } = yield* startLab({ script: saying("", "reset"), hooks })
        yield* ask(request("GET /nobody/x"))
        const response = yield* ask(request(`GET ${target}`))
        const told = where.includes("body")
          ? String(JSON.parse(response.body.toString()).request_id)
          : response.value("x-request-id")
        while (lines.length < 2) yield* Effect.sleep(2)
        const found = lines.filter((line) => line.includes(told ?? "nothing"))
        assert.strictEqual(found.length, 1)
        assert.include(found[0], '"cause":"downstream_reset","fault":"downstream"')
        const remembered = proxy.errors.find({ requestId: told ?? "" })
        assert.strictEqual(remembered.length, 1)
        assert.deepInclude(remembered[0], {
          session: "app",
          code: "downstream_reset",
          status: 502,
          target: target.replace("hunter2", "REDACTED"),
          server: new URL(origin.url).host,
        })
      }),
    )
})

describe("the failures that a proxy remembers", () => {
  it.scopedLive("are those of servers, be they answered or broken off, and of no client", () =>
    Effect.gen(function* () {
      const half = saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "finish")
      const { proxy } = yield* startLab({ script: half })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/half"))
      yield* client.gone
      const other = yield* proxy.connect
      yield* other.ask(request("GET /nobody/x"))
      yield* other.ask(request("TRACE /app/x"))
      yield* proxy.quiet
      assert.deepStrictEqual(
        proxy.errors.find().map(({ code, status, target }) => [code, status, target]),
        [["response_broken", 200, "/app/half"]],
      )
    }),
  )

  it.scopedLive("are WebSockets that lost their server, too, as the access log and the numbers have them", () =>
    Effect.gen(function* () {
      const { lines, hooks } = accessLog()
      const lab = yield* startLab({ script: agreeing(), hooks })
      const { origin, proxy } = lab
      const lost = yield* openThrough(lab, "/app/lost")
      yield* lost.server.raw.reset
      yield* lost.client.raw.gone
      const left = yield* openThrough(lab, "/app/left")
      yield* left.client.raw.reset
      yield* left.server.raw.gone
      while (lines.length < 2) yield* Effect.sleep(2)
      assert.match(
        lines.find((line) => line.includes("/app/lost")) ?? "",
        /"cause":"websocket_broken","fault":"downstream","reason":"[^"]+","end":"server",.*"code":1011,"close_reason":"the server was lost/,
      )
      assert.notInclude(lines.find((line) => line.includes("/app/left")) ?? "cause", "cause")
      assert.deepStrictEqual(
        proxy.errors.find().map(({ code, fault, server, status, target }) => [code, fault, status, target, server]),
        [["websocket_broken", "downstream", 101, "/app/lost", origin.authority]],
      )
      const closed = (by: string) => `ss_proxy_websocket_closed_total{code="1011",by="${by}"}`
      const numbers = yield* proxy.metrics
      assert.deepStrictEqual(
        ["server", "client"].map((by) => valueIn(numbers, closed(by))),
        [1, 1],
      )
    }),
  )

  it.scopedLive("are none where all goes well", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* startLab({ script: answering("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") })
      yield* ask(request("GET /app/x"))
      yield* proxy.quiet
      assert.deepStrictEqual(proxy.errors.find(), [])
    }),
  )
})
