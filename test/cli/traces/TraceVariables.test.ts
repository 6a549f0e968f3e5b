import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { asksForTraces } from "../../../src/cli/traces/Traces.js"
import { readTraceVariables } from "../../../src/cli/traces/TraceVariables.js"
import { temporaryFolder } from "../../sessions/temporary.js"

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" }
const read = (variables: Readonly<Record<string, string>>) => readTraceVariables({ ...endpoint, ...variables })

describe("whether there are traces", () => {
  const cases: ReadonlyArray<readonly [asks: boolean, variables: Readonly<Record<string, string>>]> = [
    [false, {}],
    [false, { OTEL_EXPORTER_OTLP_ENDPOINT: " " }],
    [false, { OTEL_TRACES_SAMPLER: "always_on", OTEL_SERVICE_NAME: "x" }],
    [true, endpoint],
    [true, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://collector/x" }],
    [false, { ...endpoint, OTEL_SDK_DISABLED: "TRUE" }],
    [true, { ...endpoint, OTEL_SDK_DISABLED: "1" }],
    [false, { ...endpoint, OTEL_TRACES_EXPORTER: "none" }],
    [true, { ...endpoint, OTEL_TRACES_EXPORTER: "otlp" }],
  ]
  for (const [asks, variables] of cases)
    it(`${asks ? "there are" : "there are none"} with ${JSON.stringify(variables)}`, () =>
      assert.strictEqual(asksForTraces(variables), asks))
})

describe("the variables of OpenTelemetry", () => {
  it.effect("have the defaults that OpenTelemetry gives them", () =>
    Effect.gen(function* () {
      const { batching, collector, sampling, warnings } = yield* read({})
      assert.strictEqual(collector.url.href, "http://collector:4318/v1/traces")
      assert.deepStrictEqual([collector.timeout, collector.gzip, collector.fields], [10_000, false, {}])
      assert.deepStrictEqual(sampling, { byParent: true, share: 1 })
      assert.deepStrictEqual(batching, { delay: 5_000, mostWaiting: 2_048, mostAtOnce: 512 })
      assert.deepStrictEqual(warnings, [])
    }),
  )

  it.effect("say where spans go: the one for traces to the letter, the one for everything by its root", () =>
    Effect.gen(function* () {
      const urlWith = (variables: Readonly<Record<string, string>>) =>
        Effect.map(read(variables), ({ collector }) => collector.url.href)
      assert.strictEqual(yield* urlWith({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://c/otlp/" }), "https://c/otlp/v1/traces")
      assert.strictEqual(yield* urlWith({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t:1/own" }), "http://t:1/own")
      assert.strictEqual(yield* urlWith({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t:1" }), "http://t:1/")
    }),
  )

  it.effect("win over those for everything where they are for traces", () =>
    Effect.gen(function* () {
      const { collector } = yield* read({
        OTEL_EXPORTER_OTLP_HEADERS: "a=1,B=2%2C3",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: "a=4",
        OTEL_EXPORTER_OTLP_TIMEOUT: "1",
        OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "2",
        OTEL_EXPORTER_OTLP_COMPRESSION: "none",
        OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: "gzip",
      })
      assert.deepStrictEqual(collector.fields, { a: "4", b: "2,3" })
      assert.deepStrictEqual([collector.timeout, collector.gzip], [2, true])
    }),
  )

  it.effect("name the samplers of the specification", () =>
    Effect.gen(function* () {
      const samplingWith = (sampler: string, arg = "0.25") =>
        Effect.map(read({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: arg }), ({ sampling }) => sampling)
      assert.deepStrictEqual(yield* samplingWith("always_on"), { byParent: false, share: 1 })
      assert.deepStrictEqual(yield* samplingWith("always_off"), { byParent: false, share: 0 })
      assert.deepStrictEqual(yield* samplingWith("traceidratio"), { byParent: false, share: 0.25 })
      assert.deepStrictEqual(yield* samplingWith("parentbased_always_off"), { byParent: true, share: 0 })
      assert.deepStrictEqual(yield* samplingWith("parentbased_traceidratio", "0"), { byParent: true, share: 0 })
    }),
  )

  it.scoped("name files of TLS", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "ca.pem")
      writeFileSync(file, "pem")
      const { collector } = yield* read({ OTEL_EXPORTER_OTLP_CERTIFICATE: file })
      assert.deepStrictEqual([collector.ca?.toString(), collector.cert], ["pem", undefined])
    }),
  )
})

describe("a variable that is wrong", () => {
  const refused: ReadonlyArray<readonly [variables: Readonly<Record<string, string>>, message: RegExp]> = [
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" },
      /^OTEL_EXPORTER_OTLP_ENDPOINT is not a URL .* http:\/\/localhost:4318$/,
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "grpc://collector" }, /OTEL_EXPORTER_OTLP_ENDPOINT/],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://" }, /OTEL_EXPORTER_OTLP_TRACES_ENDPOINT/],
    [
      { OTEL_EXPORTER_OTLP_CERTIFICATE: "/nowhere/ca.pem" },
      /OTEL_EXPORTER_OTLP_CERTIFICATE: cannot read \/nowhere\/ca.pem/,
    ],
  ]
  for (const [variables, message] of refused)
    it.effect(`is an error where spans would go astray: ${JSON.stringify(variables)}`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read(variables))
        assert.match(error._tag === "UsageError" ? error.message : `${error.problem}; ${error.hint}`, message)
      }),
    )

  const warned: ReadonlyArray<readonly [variables: Readonly<Record<string, string>>, warning: RegExp]> = [
    [
      { OTEL_TRACES_SAMPLER: "some" },
      /OTEL_TRACES_SAMPLER is "some"; it must be one of always_on, .*parentbased_always_on is used/,
    ],
    [{ OTEL_TRACES_SAMPLER: "toString" }, /it must be one of/],
    [{ OTEL_TRACES_SAMPLER: "traceidratio" }, /OTEL_TRACES_SAMPLER_ARG is ""; it must be a share from 0 to 1/],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "50" }, /share from 0 to 1.*All requests/],
    [{ OTEL_TRACES_EXPORTER: "zipkin" }, /OTEL_TRACES_EXPORTER is "zipkin"; it must be otlp or none/],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, /OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"; it must be http\/json.*4318/],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: "br" }, /none or gzip/],
    [{ OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "10s" }, /OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is "10s".*10000 is used/],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: "0" }, /OTEL_BSP_MAX_QUEUE_SIZE is "0".*2048 is used/],
    [{ OTEL_EXPORTER_OTLP_HEADERS: "a=1,s3cret" }, /OTEL_EXPORTER_OTLP_HEADERS: number 2 of its fields is none/],
    [{ OTEL_EXPORTER_OTLP_HEADERS: "a=%0d%0aInjected: s3cret" }, /number 1/],
    [{ OTEL_EXPORTER_OTLP_HEADERS: "a=%zz s3cret" }, /number 1/],
  ]
  for (const [variables, warning] of warned)
    it.effect(`is told of, says what to do, and counts as not set: ${JSON.stringify(variables)}`, () =>
      Effect.gen(function* () {
        const { collector, warnings } = yield* read(variables)
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0] ?? "", warning)
        assert.notInclude(warnings[0] ?? "", "s3cret")
        assert.notInclude(Object.values(collector.fields).join(), "Injected")
      }),
    )
})
