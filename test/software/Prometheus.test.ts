import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import { describeUnless } from "../support/LeftOut.js"
import { unusedPort } from "../support/Listening.js"
import { isInstalled, startTool } from "../support/Tool.js"

const Samples = Schema.Struct({
  data: Schema.Struct({
    result: Schema.Array(
      Schema.Struct({
        metric: Schema.Record({ key: Schema.String, value: Schema.String }),
        value: Schema.Tuple(Schema.Number, Schema.String),
      }),
    ),
  }),
})

/** Starts Prometheus, which scrapes this port five times a second. Gives a function that queries it. */
const startPrometheus = (target: number) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const file = join(folder, "prometheus.yml")
    const job = { job_name: "ss-proxy", static_configs: [{ targets: [`127.0.0.1:${target}`] }] }
    // What is JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({ global: { scrape_interval: "200ms", scrape_timeout: "200ms" }, scrape_configs: [job] }),
    )
    const port = yield* unusedPort
    const storage = `--storage.tsdb.path=${join(folder, "data")}`
    yield* startTool("prometheus", [`--config.file=${file}`, storage, `--web.listen-address=127.0.0.1:${port}`])
    return (query: string) =>
      Effect.tryPromise(async () => {
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`)
        return Schema.decodeUnknownSync(Samples)(await response.json()).data.result
      }).pipe(Effect.orElseSucceed(() => []))
  })

const missing = isInstalled("prometheus") ? undefined : "prometheus is not here; Debian has it"

describeUnless(missing)("Prometheus", () => {
  it.scopedLive(
    "scrapes the proxy, and has what it counted",
    () =>
      Effect.gen(function* () {
        const { ask, proxy } = yield* startLab({ settings: { adminPort: 0 } })
        const query = yield* startPrometheus(proxy.adminPort ?? 0)
        yield* ask(request("GET /app/"))
        const requests = 'ss_proxy_http_requests_total{job="ss-proxy",method="GET",status="2xx",cause=""}'
        yield* eventually(
          Effect.map(query(requests), ([sample]) => sample?.value[1] === "1"),
          "a request in Prometheus",
        ).pipe(Effect.retry({ times: 5 }))
        assert.strictEqual((yield* query("up"))[0]?.value[1], "1")
        const [info] = yield* query("ss_proxy_build_info")
        assert.strictEqual(info?.metric["node"], process.versions.node)
        const [quantile] = yield* query("count(ss_proxy_http_first_byte_seconds_bucket)")
        assert.strictEqual(quantile?.value[1], "18")
        assert.deepStrictEqual(yield* query("scrape_series_added > 800"), [])
      }),
    40_000,
  )
})
