import { assert, layer, vi } from "@effect/vitest"
import { Effect } from "effect"
import type { HistoryView, SampleView, StatsView } from "../../src/admin/api/StatsGroup.js"
import type { LiveView } from "../../src/admin/api/LiveView.js"
import type { ErrorView, ProcessView, SettingView, VersionView } from "../../src/admin/api/ProxyViews.js"
import type { ExplainView } from "../../src/admin/api/ExplainView.js"
import type { ActivityView, HealthView, LiveCounts, SessionView } from "../../src/admin/api/SessionViews.js"
import type * as Shapes from "../../src/dashboard/Shapes.js"
import { startAdminLab, writeToken } from "../admin/AdminLab.js"
import { request } from "../support/HttpText.js"
import { describeUnless } from "../support/LeftOut.js"
import { lackingBrowser, openDashboard, TestBrowser } from "./Browser.js"

/** Compiles only while whatever the API gives is what the page reads. */
type Reads<_Page, _Given extends _Page> = true
export type AllRead = readonly [
  Reads<Shapes.Session, typeof SessionView.Type>,
  Reads<Shapes.LiveCounts, typeof LiveCounts.Type>,
  Reads<Shapes.Health, typeof HealthView.Type>,
  Reads<Shapes.Activity, typeof ActivityView.Type>,
  Reads<Shapes.Live, typeof LiveView.Type>,
  Reads<Shapes.Sample, typeof SampleView.Type>,
  Reads<Shapes.Stats, typeof StatsView.Type>,
  Reads<Shapes.History, typeof HistoryView.Type>,
  Reads<Shapes.Process, typeof ProcessView.Type>,
  Reads<Shapes.Failure, typeof ErrorView.Type>,
  Reads<Shapes.Version, typeof VersionView.Type>,
  Reads<Shapes.Setting, typeof SettingView.Type>,
  Reads<Shapes.Explanation, typeof ExplainView.Type>,
]

// A browser on a machine that does something else, too.
vi.setConfig({ testTimeout: 60_000 })

describeUnless(lackingBrowser)("the dashboard of a proxy that runs", () => {
  layer(TestBrowser.layer, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped("shows what passes, and steers it", () =>
      Effect.gen(function* () {
        const { adminPort, ask, get } = yield* startAdminLab()
        yield* ask(request("GET /app/first"))
        const page = yield* openDashboard(`http://127.0.0.1:${adminPort}`, writeToken)
        const step = (act: () => Promise<unknown>) => Effect.promise(act)
        const see = (text: string | RegExp) => step(() => page.getByText(text).first().waitFor({ timeout: 10_000 }))
        const press = (...keys: ReadonlyArray<string>) =>
          Effect.forEach(keys, (key) => step(() => page.keyboard.press(key)), { discard: true })
        const dialogGone = step(() => page.waitForSelector("dialog", { state: "detached" }))
        yield* step(() => page.waitForSelector(".connection.open"))
        yield* see(/pid \d+/)
        yield* press("g", "s")
        yield* see("app")
        yield* press("a")
        yield* step(() => page.locator("dialog input").first().fill("a/b %"))
        yield* step(() => page.getByLabel("URL of its server").fill("http://127.0.0.1:9"))
        yield* press("Enter")
        yield* dialogGone
        yield* see("a/b %")
        yield* step(() => page.getByText("a/b %", { exact: true }).click())
        yield* step(() => page.waitForSelector("h1"))
        yield* see("http://127.0.0.1:9")
        yield* press("e")
        yield* step(() => page.getByLabel("Status").fill("paused"))
        yield* press("Enter")
        yield* dialogGone
        assert.deepInclude(yield* get("/v1/sessions/a%2Fb%20%25"), { status: "paused" })
        yield* step(() => page.evaluate(`location.hash = "#/sessions/app"`))
        yield* step(() => page.waitForSelector(".chip.good"))
        yield* step(() => page.getByRole("button", { name: "Start" }).click())
        yield* see("Live.")
        yield* ask(request("GET /app/second"))
        yield* step(() => page.locator(".tail li").getByText("/app/second").waitFor({ timeout: 10_000 }))
        yield* press("d")
        yield* step(() => page.locator("dialog input").press("Enter"))
        yield* dialogGone
        yield* step(() => page.waitForSelector(".chip.warn"))
        assert.strictEqual((yield* ask(request("GET /app/"))).status, 503)
        yield* press("r")
        yield* step(() => page.waitForSelector(".chip.good"))
        yield* press("x")
        yield* step(() => page.getByLabel("Reason").press("Enter"))
        yield* dialogGone
        yield* see("Killed on app")
        yield* step(() => page.getByRole("button", { name: "Explain" }).click())
        yield* see(/^Forwards to http/)
        yield* press("g", "a")
        yield* see("admin-port")
      }),
    )
  })
})
