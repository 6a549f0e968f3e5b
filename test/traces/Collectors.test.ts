import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { request } from "../support/HttpText.js"
import { eventually } from "../support/Changes.js"
import { valueIn } from "../support/Numbers.js"
import type { TestProxy } from "../support/TestProxy.js"
import { startLab } from "../support/Lab.js"
import { Collector, type Taking, takes } from "./Collector.js"
import { startTraceLab, tracerOf } from "./TraceLab.js"

type Result = "sent" | "failed" | "dropped"

/** What became of spans. */
const countsOf = (proxy: TestProxy): Effect.Effect<Readonly<Record<Result, number>>> =>
  Effect.map(proxy.metrics, (text) => {
    const count = (result: Result) => valueIn(text, `ss_proxy_trace_spans_total{result="${result}"}`) ?? 0
    return { sent: count("sent"), failed: count("failed"), dropped: count("dropped") }
  })

/** Waits until so many have come to that. */
const until = (proxy: TestProxy, expected: Partial<Record<Result, number>>) =>
  eventually(
    Effect.map(countsOf(proxy), (counts) =>
      Object.entries({ ...counts, ...expected }).every(([key, value]) => Reflect.get(counts, key) === value),
    ),
    `spans: ${JSON.stringify(expected)}`,
  )

/** Lines of the log that are about spans. */
const aboutSpans = (log: ReadonlyArray<string>): ReadonlyArray<string> => log.filter((line) => /spans/.test(line))

const longAnswer: Taking = (response) => {
  response.setHeader("content-length", 2 ** 30)
  const part = Buffer.alloc(65_536, "x")
  const more = (): void => {
    while (!response.destroyed && response.write(part));
    if (!response.destroyed) response.once("drain", more)
  }
  more()
}

/** What a collector may do, and what the log says of it. */
const bad: ReadonlyArray<readonly [what: string, taking: Taking, problem: RegExp]> = [
  ["refuses all", (response) => void response.writeHead(400).end("no"), /answered 400; see its log/],
  ["is always busy", (response) => void response.writeHead(503).end(), /within 300 ms: it answered 503; see its log/],
  [
    "asks for a token",
    (response) => void response.writeHead(401).end(),
    /answered 401; check OTEL_EXPORTER_OTLP_HEADERS/,
  ],
  ["has another path", (response) => void response.writeHead(404).end(), /answered 404; check the path/],
  ["never answers", () => {}, /did not take them within 300 ms: check that it runs/],
  [
    "answers one byte after the other",
    (response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write("x"), 20)
      response.on("close", () => clearInterval(timer))
    },
    /did not take them within 300 ms/,
  ],
  ["answers with a gibibyte", longAnswer, /longer than 65536 bytes/],
  ["resets connections", (response) => void response.socket?.resetAndDestroy(), /within 300 ms|ECONNRESET|hang up/],
  ["answers what is no HTTP", (response) => void response.socket?.end("garbage\r\n\r\n"), /within 300 ms|Parse Error/],
]

describe("a collector that", () => {
  for (const [what, taking, problem] of bad)
    it.scopedLive(`${what} loses spans, which are counted and told of once, and no request waits`, () =>
      Effect.gen(function* () {
        const variables = { OTEL_EXPORTER_OTLP_TIMEOUT: "300", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "2" }
        const { ask, collector, proxy } = yield* startTraceLab({ taking, variables })
        for (let sent = 0; sent < 4; sent++) assert.strictEqual((yield* ask(request("GET /app/x"))).status, 200)
        yield* collector.asked(1)
        yield* until(proxy, { failed: 9 })
        assert.deepStrictEqual(yield* countsOf(proxy), { sent: 0, failed: 9, dropped: 0 })
        const lines = aboutSpans(proxy.log)
        assert.strictEqual(lines.length, 1)
        assert.match(lines[0] ?? "", problem)
      }),
    )

  it.scopedLive("is busy for a while is asked again, and gets everything once", () => {
    let asked = 0
    const taking: Taking = (response, incoming) =>
      asked++ === 0 ? void response.writeHead(503).end() : takes(response, incoming)
    return Effect.gen(function* () {
      const { ask, collector, proxy } = yield* startTraceLab({ taking })
      yield* ask(request("GET /app/x"))
      yield* collector.asked(2)
      yield* until(proxy, { sent: 3 })
      assert.deepStrictEqual(yield* countsOf(proxy), { sent: 3, failed: 0, dropped: 0 })
      assert.deepStrictEqual(aboutSpans(proxy.log), [])
    })
  })

  it.scopedLive("takes only some says how many it refused", () => {
    const answer = JSON.stringify({ partialSuccess: { rejectedSpans: "1", errorMessage: "no" } })
    return Effect.gen(function* () {
      const { ask, proxy } = yield* startTraceLab({ taking: (response) => void response.end(answer) })
      yield* ask(request("GET /app/x"))
      yield* until(proxy, { failed: 1 })
      assert.deepStrictEqual(yield* countsOf(proxy), { sent: 2, failed: 1, dropped: 0 })
      assert.match(aboutSpans(proxy.log).join(), /the collector refuses spans/)
    })
  })

  for (const [said, failed] of [
    ["-5", 0],
    ["1.5", 1],
    ["1e400", 3],
    ["4", 3],
  ] as const)
    it.scopedLive(`says that it refused ${said} spans of three makes no count go back`, () => {
      const answer = JSON.stringify({ partialSuccess: { rejectedSpans: said } })
      return Effect.gen(function* () {
        const { ask, proxy } = yield* startTraceLab({ taking: (response) => void response.end(answer) })
        yield* ask(request("GET /app/x"))
        yield* until(proxy, { sent: 3 - failed, failed })
        assert.deepStrictEqual(yield* countsOf(proxy), { sent: 3 - failed, failed, dropped: 0 })
      })
    })

  it.scopedLive("comes back is told of, and gets what comes then", () => {
    let isDown = true
    const taking: Taking = (response, incoming) =>
      isDown ? void response.writeHead(400).end() : takes(response, incoming)
    return Effect.gen(function* () {
      const { ask, proxy } = yield* startTraceLab({ taking })
      yield* ask(request("GET /app/x"))
      yield* until(proxy, { failed: 3 })
      isDown = false
      yield* ask(request("GET /app/x"))
      yield* until(proxy, { sent: 2 })
      const [lost, back, ...more] = aboutSpans(proxy.log)
      assert.match(lost ?? "", /spans cannot be sent/)
      assert.match(back ?? "", /the collector accepts spans again.*lost=3/)
      assert.deepStrictEqual(more, [])
    })
  })

  it.scopedLive("is slower than the spans come loses those that find no place, and they are counted", () =>
    Effect.gen(function* () {
      const variables = { OTEL_BSP_MAX_QUEUE_SIZE: "4", OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "2" }
      const { ask, collector, proxy } = yield* startTraceLab({ taking: () => {}, variables })
      yield* ask(request("GET /app/x"))
      yield* collector.asked(1)
      for (let sent = 0; sent < 5; sent++) yield* ask(request("GET /app/x"))
      yield* until(proxy, { dropped: 7 })
      assert.deepStrictEqual(yield* countsOf(proxy), { sent: 0, failed: 0, dropped: 7 })
      assert.match(aboutSpans(proxy.log).join(), /more spans than the collector takes.*OTEL_TRACES_SAMPLER_ARG/)
    }),
  )

  it.scopedLive(
    "never answers holds the end of the proxy up for three seconds at most, and what was lost is told",
    () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { ask, collector, proxy } = yield* Scope.extend(startTraceLab({ taking: () => {} }), scope)
        yield* Effect.scoped(ask(request("GET /app/x")))
        yield* collector.asked(1)
        const begun = performance.now()
        yield* Scope.close(scope, Exit.void)
        const took = performance.now() - begun
        assert.isTrue(took > 2_900 && took < 3_600, `${took} ms`)
        assert.match(aboutSpans(proxy.log).join(), /spans were not sent before the end.*unsent=3/)
        assert.strictEqual((yield* countsOf(proxy)).dropped, 3)
      }),
  )

  it.scopedLive("is there gets at the end what still waited", () =>
    Effect.gen(function* () {
      const collector = yield* Collector.start()
      const scope = yield* Scope.make()
      const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: "60000" }
      const { ask, proxy } = yield* Scope.extend(
        startLab({ settings: { traces: true }, hooks: tracerOf(variables) }),
        scope,
      )
      yield* Effect.scoped(ask(request("GET /app/x")))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(collector.spans.length, 3)
      assert.deepStrictEqual(yield* countsOf(proxy), { sent: 3, failed: 0, dropped: 0 })
    }),
  )

  it.scopedLive("is not there at all", () =>
    Effect.gen(function* () {
      const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT: "200" }
      const { ask, proxy } = yield* startLab({ settings: { traces: true }, hooks: tracerOf(variables) })
      assert.strictEqual((yield* ask(request("GET /app/x"))).status, 200)
      yield* until(proxy, { failed: 3 })
      assert.match(
        aboutSpans(proxy.log).join(),
        /spans cannot be sent.*within 200 ms: .*ECONNREFUSED.*; check that it runs/,
      )
    }),
  )
})

describe("what is sent to a collector", () => {
  it.scopedLive("has the fields and the compression that the variables ask for, and its origin", () =>
    Effect.gen(function* () {
      const variables = {
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20abc,x-two=2",
        OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      }
      const { ask, collector } = yield* startTraceLab({ variables })
      yield* ask(request("GET /app/x"))
      yield* collector.has(2)
      const [sent] = collector.requests
      assert.deepStrictEqual([sent?.method, sent?.url], ["POST", "/v1/traces"])
      assert.include(sent?.headers, {
        authorization: "Bearer abc",
        "x-two": "2",
        "content-type": "application/json",
        "content-encoding": "gzip",
      })
    }),
  )
})
