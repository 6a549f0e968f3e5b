import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { join } from "node:path"
import { fairNow } from "../support/FairClock.js"
import { answering, RawOrigin } from "../support/RawOrigin.js"
import { hello } from "../support/Lab.js"
import { Collector } from "../traces/Collector.js"
import { fetchOnce, runProgram, start, temporaryFolder } from "./Program.js"

/** The program with these variables, once it listens: its port, what it says, and how it ended. */
const startWith = (env: Readonly<Record<string, string>>, origin: string) =>
  Effect.gen(function* () {
    const database = join(temporaryFolder(), "sessions.db")
    yield* Effect.promise(() => runProgram(["sessions", "add", "app", origin, "--db-path", database]))
    const child = start(["run", "--host", "127.0.0.1", "--port", "0", "--db-path", database], { env })
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    let said = ""
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    const port = yield* Effect.async<string>((resume) => {
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text
        const [, found] = / port=(\d+)/.exec(said) ?? []
        if (found !== undefined) resume(Effect.succeed(found))
      })
    })
    const stop = Effect.promise(() => {
      child.kill("SIGTERM")
      return ended
    })
    return { url: `http://127.0.0.1:${port}`, said: () => said, stop }
  })

const ask = (url: string) => Effect.promise(() => fetchOnce(url).then((response) => response.text()))

describe("ss-proxy run", () => {
  it.scopedLive("sends spans where a variable names a collector, the last of them when it ends", () =>
    Effect.gen(function* () {
      const collector = yield* Collector.start()
      const origin = yield* RawOrigin.start(answering(hello))
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: "mine" }
      const program = yield* startWith(env, origin.url)
      assert.strictEqual(yield* ask(`${program.url}/app/x`), "hello")
      assert.strictEqual(collector.spans.length, 0)
      assert.strictEqual(yield* program.stop, 0)
      assert.sameMembers(
        collector.spans.map(({ name }) => name),
        ["GET /{session_id}", "GET", "dial"],
      )
      assert.strictEqual(collector.spans[0]?.resource["service.name"], "mine")
    }),
  )

  it.scopedLive("ends in time where the collector never answers, and says what was lost", () =>
    Effect.gen(function* () {
      const collector = yield* Collector.start(() => {})
      const origin = yield* RawOrigin.start(answering(hello))
      const program = yield* startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }, origin.url)
      yield* ask(`${program.url}/app/x`)
      const begun = fairNow()
      assert.strictEqual(yield* program.stop, 0)
      assert.isBelow(fairNow() - begun, 4_500)
      assert.match(program.said(), /WARN\s+spans were not sent before the end .*unsent=3/)
      assert.notMatch(program.said(), /not everything stopped in time/)
    }),
  )

  it.live("does not start where the collector's URL is none, and says how it should look", () =>
    Effect.gen(function* () {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }
      const database = join(temporaryFolder(), "sessions.db")
      const { code, stderr } = yield* Effect.promise(() =>
        runProgram(["run", "--port", "0", "--db-path", database], { env }),
      )
      assert.strictEqual(code, 2)
      assert.match(stderr, /^ss-proxy: OTEL_EXPORTER_OTLP_ENDPOINT is not a URL .*http:\/\/localhost:4318\n$/)
    }),
  )

  it.scopedLive("warns of a variable that is wrong, once", () =>
    Effect.gen(function* () {
      const collector = yield* Collector.start()
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER: "some" }
      const program = yield* startWith(env, "http://127.0.0.1:9")
      yield* program.stop
      assert.strictEqual(program.said().split("OTEL_TRACES_SAMPLER is").length, 2)
    }),
  )
})
