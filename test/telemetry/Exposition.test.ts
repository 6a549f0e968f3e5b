import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { catalogue, firstOfEach, metrics } from "../../src/telemetry/Catalogue.js"
import { exposition } from "../../src/telemetry/Exposition.js"
import { isMergeable, merge, type Snapshot } from "../../src/telemetry/Snapshot.js"
import { Counters, Telemetry } from "../../src/telemetry/Telemetry.js"
import { seriesIn, textOf, valueIn } from "../support/Numbers.js"
import { describeUnless } from "../support/LeftOut.js"
import { isInstalled, runTool } from "../support/Tool.js"

/** A request that ended as most do, and what of it is otherwise. */
const exchange = (
  rest: Partial<Parameters<Counters["exchangeEnded"]>[0]> = {},
): Parameters<Counters["exchangeEnded"]>[0] => ({
  method: "GET",
  status: 200,
  error: undefined,
  isOwnAnswer: false,
  end: "complete",
  bytesIn: 1,
  bytesOut: 2,
  isHandshake: false,
  ...rest,
})

describe("the catalogue", () => {
  it("names every metric once, with a help and a type", () => {
    const names = metrics.map(({ name }) => name)
    assert.deepStrictEqual([...new Set(names)], names)
    for (const { help } of metrics) assert.match(help, /^[^\n]*[^.\n]$/)
  })

  it("has what each process keeps to itself behind all that is merged", () => {
    for (const { merge: rule, name, offset } of metrics)
      assert.strictEqual(rule === "each", offset >= firstOfEach, name)
  })

  it("has fewer than 800 series", async () => {
    const series = seriesIn(await Effect.runPromise(textOf(new Counters())))
    assert.isBelow(series.length, 800)
    assert.strictEqual(new Set(series).size, series.length)
  })
})

describe("the exposition", () => {
  it.effect("has what was counted", () =>
    Effect.gen(function* () {
      const counters = new Counters()
      counters.exchangeBegan()
      counters.exchangeBegan()
      counters.exchangeEnded(exchange({ bytesIn: 7 }), 3)
      const text = yield* textOf(counters)
      const value = (series: string) => valueIn(text, series)
      assert.strictEqual(value('ss_proxy_http_requests_total{method="GET",status="2xx",cause=""}'), 1)
      assert.strictEqual(value("ss_proxy_http_requests_in_flight"), 1)
      assert.strictEqual(value('ss_proxy_http_body_bytes_total{direction="in"}'), 7)
      assert.strictEqual(value('ss_proxy_http_request_duration_seconds_bucket{status="2xx",le="0.0025"}'), 0)
      assert.strictEqual(value('ss_proxy_http_request_duration_seconds_bucket{status="2xx",le="0.005"}'), 1)
      assert.strictEqual(value('ss_proxy_http_request_duration_seconds_bucket{status="2xx",le="+Inf"}'), 1)
      assert.strictEqual(value('ss_proxy_http_request_duration_seconds_sum{status="2xx"}'), 0.003)
      assert.strictEqual(value('ss_proxy_http_request_duration_seconds_count{status="2xx"}'), 1)
    }),
  )

  it.effect("puts a time that is a bound into the bucket of that bound, and leaves out what is no time", () =>
    Effect.gen(function* () {
      const counters = new Counters()
      counters.headArrived(1)
      counters.headArrived(-1)
      counters.headArrived(Number.NaN)
      const text = yield* textOf(counters)
      assert.strictEqual(valueIn(text, 'ss_proxy_downstream_first_byte_seconds_bucket{le="0.001"}'), 1)
      assert.strictEqual(valueIn(text, "ss_proxy_downstream_first_byte_seconds_count"), 1)
    }),
  )

  it.effect("leaves out what is not known", () =>
    Effect.gen(function* () {
      const counters = new Counters()
      counters.readAlso({ fill: (cells) => cells.set(catalogue.directoryAge.offset, Number.NaN) })
      assert.notInclude(yield* textOf(counters), "ss_proxy_directory_age_seconds")
    }),
  )

  it.effect("has as many series as before, whatever clients, servers and rows make up", () =>
    Effect.gen(function* () {
      const counters = new Counters()
      const before = seriesIn(yield* textOf(counters))
      for (let turn = 0; turn < 10_000; turn++) {
        counters.exchangeEnded(exchange({ method: `M${turn}`, status: turn % 1_000 }), turn)
        const socket = {
          code: turn,
          closedBy: "client",
          messagesIn: 0,
          messagesOut: 0,
          bytesIn: 0,
          bytesOut: 0,
        } as const
        counters.webSocketClosed(socket, turn)
      }
      const text = yield* textOf(counters)
      assert.deepStrictEqual(seriesIn(text), before)
      assert.strictEqual(valueIn(text, 'ss_proxy_http_requests_total{method="_OTHER",status="2xx",cause=""}'), 1_000)
      assert.strictEqual(valueIn(text, 'ss_proxy_websocket_closed_total{code="4xxx",by="client"}'), 1_000)
      assert.strictEqual(valueIn(text, 'ss_proxy_websocket_closed_total{code="1001",by="client"}'), 1)
    }),
  )

  it.effect("takes less than 2 ms", () =>
    Effect.gen(function* () {
      const snapshot = yield* new Counters().snapshot
      const times = Array.from({ length: 50 }, () => {
        const begun = performance.now()
        exposition(snapshot)
        return performance.now() - begun
      })
      assert.isBelow(Math.min(...times), 2)
    }),
  )
})

const noPromtool = isInstalled("promtool") ? undefined : "promtool is not here; Debian has it in its package prometheus"

describeUnless(noPromtool)("promtool", () => {
  it.scoped("takes the exposition without a warning", () =>
    Effect.gen(function* () {
      const services = yield* Layer.build(Telemetry.layer)
      const text = yield* textOf(Context.get(services, Telemetry))
      const options = { input: [Buffer.from(text)] }
      assert.deepStrictEqual(yield* runTool("promtool", ["check", "metrics"], options), {
        code: 0,
        stdout: "",
        stderr: "",
      })
      assert.include(text, "process_open_fds ")
    }),
  )
})

describe("snapshots of several processes", () => {
  const snapshotAfter = (count: (counters: Counters) => void, fill: Snapshot["takenAt"] = 0) =>
    Effect.suspend(() => {
      const counters = new Counters()
      count(counters)
      counters.readAlso({
        fill: (cells) => {
          cells.set(catalogue.draining.offset, fill)
          cells.set(catalogue.residentMemory.offset, 10)
        },
      })
      return counters.snapshot
    })

  it.effect("go through a structured clone, and are merged by the rules of the catalogue", () =>
    Effect.gen(function* () {
      const one = yield* snapshotAfter((counters) => counters.exchangeBegan())
      const other = structuredClone(yield* snapshotAfter((counters) => counters.exchangeBegan(), 1))
      assert.isTrue(isMergeable(one, other))
      const both = merge(one, other)
      const text = exposition(both)
      assert.strictEqual(valueIn(text, "ss_proxy_http_requests_in_flight"), 2)
      assert.strictEqual(valueIn(text, "ss_proxy_draining"), 1)
      const [first, second] = both.processes
      assert.strictEqual(valueIn(text, `process_resident_memory_bytes{worker="${first?.worker}"}`), 10)
      assert.strictEqual(valueIn(text, `process_resident_memory_bytes{worker="${second?.worker}"}`), 10)
      assert.strictEqual(text.match(/^# TYPE process_resident_memory_bytes gauge$/gm)?.length, 1)
    }),
  )

  it.effect("are not changed by being merged", () =>
    Effect.gen(function* () {
      const one = yield* snapshotAfter((counters) => counters.exchangeBegan())
      const before = structuredClone(one)
      merge(one, one)
      assert.deepStrictEqual(one, before)
    }),
  )
})
