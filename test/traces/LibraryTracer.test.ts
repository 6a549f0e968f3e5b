import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const parentId = "b7ad6b7169203331"
const from = (flags: string) => [`traceparent: 00-${traceId}-${parentId}-${flags}`]

/** A proxy of a program that has its own SDK of OpenTelemetry. */
const startSdkLab = (settings: { readonly traces: boolean; readonly trustedProxies?: ReadonlyArray<string> }) =>
  Effect.gen(function* () {
    const exporter = new InMemorySpanExporter()
    const hooks = NodeSdk.layer(() => ({
      resource: { serviceName: "test" },
      spanProcessor: new SimpleSpanProcessor(exporter),
    }))
    const lab = yield* startLab({ settings, hooks })
    const names = () => exporter.getFinishedSpans().map(({ name }) => name)
    const have = (count: number) =>
      eventually(
        Effect.sync(() => names().length >= count),
        `${count} spans`,
      )
    return { ...lab, exporter, have, names }
  })

describe("a program's own Tracer", () => {
  it.scopedLive("records requests where the settings say so", () =>
    Effect.gen(function* () {
      const { ask, exporter, have, names, origin } = yield* startSdkLab({ traces: true })
      yield* ask(request("GET /app/x"))
      yield* have(3)
      assert.sameMembers(names(), ["GET /{session_id}", "GET", "dial"])
      const client = exporter
        .getFinishedSpans()
        .find(({ name }) => name === "GET")
        ?.spanContext()
      const seen = yield* origin.request()
      assert.strictEqual(seen.value("traceparent"), `00-${client?.traceId}-${client?.spanId}-01`)
    }),
  )

  it.scopedLive("records nothing where they do not", () =>
    Effect.gen(function* () {
      const { ask, names, origin } = yield* startSdkLab({ traces: false })
      yield* ask(request("GET /app/x"))
      assert.match((yield* origin.request()).value("traceparent") ?? "", /-00$/)
      assert.notInclude(names(), "GET /{session_id}")
    }),
  )

  it.scopedLive("is told whether a trusted parent was sampled, and takes a stranger's for one that was not", () =>
    Effect.gen(function* () {
      const strange = yield* startSdkLab({ traces: true })
      yield* strange.ask(request("GET /app/x", from("01")))
      assert.strictEqual((yield* strange.origin.request()).value("traceparent"), `00-${traceId}-${parentId}-01`)
      const trusted = yield* startSdkLab({ traces: true, trustedProxies: ["127.0.0.1"] })
      yield* trusted.ask(request("GET /app/x", from("00")))
      yield* trusted.ask(request("GET /app/x", from("01")))
      yield* trusted.have(2)
      const spans = trusted.exporter.getFinishedSpans().filter(({ name }) => name === "GET /{session_id}")
      assert.deepStrictEqual(
        spans.map((span) => [span.spanContext().traceId, span.parentSpanContext?.spanId]),
        [[traceId, parentId]],
      )
      assert.deepStrictEqual(strange.names(), [])
    }),
  )
})
