import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Changes.js"
import { chunk, request, response } from "../support/HttpText.js"
import { describeUnless } from "../support/LeftOut.js"
import { valueIn } from "../support/Numbers.js"
import { answering, saying } from "../support/RawOrigin.js"
import { isInstalled, runTool } from "../support/Tool.js"
import { hello } from "../support/Lab.js"
import { readToken, startAdminLab } from "./AdminLab.js"

type AdminLab = Effect.Effect.Success<ReturnType<typeof startAdminLab>>

const metricsOf = ({ askSocket }: AdminLab) => Effect.map(askSocket("GET /metrics"), ({ text }) => text)

const requestsOf = (text: string, session: string, status = "2xx") =>
  valueIn(text, `ss_proxy_session_requests_total{session="${session}",status="${status}"}`)

const bytesOutOf = (text: string, session: string) =>
  valueIn(text, `ss_proxy_session_bytes_total{session="${session}",direction="out"}`)

describe("metrics of single sessions", () => {
  it.scopedLive("are not there unless they are asked for, and then need a token on the port", () =>
    Effect.gen(function* () {
      const off = yield* startAdminLab()
      yield* off.ask(request("GET /app/"))
      assert.notInclude((yield* off.askPort("GET /metrics")).text, "session=")
      const on = yield* startAdminLab({ settings: { metricsSessions: 1 } })
      yield* on.ask(request("GET /app/"))
      const refused = yield* on.askPort("GET /metrics")
      assert.deepStrictEqual([refused.status, refused.value("www-authenticate")], [401, "Bearer"])
      assert.strictEqual((yield* on.askWith("a-token-that-is-wrong", "GET /metrics")).status, 401)
      const { text } = yield* on.askWith(readToken, "GET /metrics")
      assert.strictEqual(requestsOf(text, "app"), 1)
      assert.strictEqual(valueIn(text, 'ss_proxy_session_first_byte_seconds_count{session="app"}'), 1)
      assert.strictEqual((yield* on.askPort("GET /livez")).status, 200)
    }),
  )

  it.scopedLive("are those of the first ones; what others do is added up, also for ids that do not exist", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ settings: { metricsSessions: 1 } })
      yield* lab.proxy.repo.put({ id: "late", url: lab.origin.url, status: "active" })
      for (const id of ["made-up", "app", "late", "app", "late"]) yield* lab.ask(request(`GET /${id}/`))
      const text = yield* metricsOf(lab)
      assert.deepStrictEqual([requestsOf(text, "app"), requestsOf(text, ""), requestsOf(text, "", "4xx")], [2, 2, 1])
      assert.deepStrictEqual([bytesOutOf(text, "app"), requestsOf(text, "late")], [10, undefined])
      yield* lab.proxy.repo.remove("app")
      assert.isUndefined(requestsOf(yield* metricsOf(lab), "app"))
      yield* lab.ask(request("GET /late/"))
      const freed = yield* metricsOf(lab)
      assert.deepStrictEqual([requestsOf(freed, "late"), requestsOf(freed, "")], [1, 2])
    }),
  )

  it.scopedLive("count bytes of what is under way once, wherever they were shown before", () =>
    Effect.gen(function* () {
      const begun = response("200 OK", ["Transfer-Encoding: chunked"]) + chunk("hello")
      const lab = yield* startAdminLab({ script: saying(begun), settings: { metricsSessions: 1 } })
      yield* lab.proxy.repo.put({ id: "late", url: lab.origin.url, status: "active" })
      const [first, second] = [yield* lab.proxy.connect, yield* lab.proxy.connect]
      yield* first.send(request("GET /app/"))
      const shows = (session: string, bytes: number) =>
        eventually(
          Effect.map(metricsOf(lab), (text) => bytesOutOf(text, session) === bytes),
          `${bytes} bytes of ${session}`,
        )
      yield* shows("app", 5)
      yield* second.send(request("GET /late/"))
      yield* shows("", 5)
      yield* lab.proxy.repo.remove("app")
      yield* shows("late", 0)
      second.socket.destroy()
      yield* eventually(
        Effect.map(lab.get("/v1/live"), (live) => !JSON.stringify(live).includes("late")),
        "its end",
      )
      const text = yield* metricsOf(lab)
      assert.deepStrictEqual([bytesOutOf(text, "late"), bytesOutOf(text, "app")], [0, undefined])
      assert.strictEqual(bytesOutOf(text, ""), 5)
      first.socket.destroy()
    }),
  )
})

const noPromtool = isInstalled("promtool") ? undefined : "promtool is not here; Debian has it in its package prometheus"

describeUnless(noPromtool)("promtool", () => {
  it.scopedLive("takes the metrics of sessions of any id", () =>
    Effect.gen(function* () {
      const lab = yield* startAdminLab({ script: answering(hello), settings: { metricsSessions: 10 } })
      const ids = ['"', "a\\b", "line\nbreak", "ü<script>", "x".repeat(200)]
      for (const id of ids) {
        yield* lab.proxy.repo.put({ id, url: lab.origin.url, status: "active" })
        assert.strictEqual((yield* lab.ask(request(`GET /${encodeURIComponent(id)}/`))).status, 200)
      }
      const { body, text } = yield* lab.askSocket("GET /metrics")
      assert.strictEqual(text.match(/^ss_proxy_session_websockets_open\{/gm)?.length, ids.length + 1)
      const checked = yield* runTool("promtool", ["check", "metrics"], { input: [body] })
      assert.deepStrictEqual(checked, { code: 0, stdout: "", stderr: "" })
    }),
  )
})
