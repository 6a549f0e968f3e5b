import { assert, expect, layer, vi } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { Page } from "playwright-core"
import { describeUnless } from "../support/LeftOut.js"
import { lackingBrowser, openDashboard, TestBrowser } from "./Browser.js"
import { fakeSession, fakeToken, noLive, startFakeProxy } from "./FakeProxy.js"
import { scenery } from "./Scenery.js"

const promise = <A>(ask: () => Promise<A>): Effect.Effect<A> => Effect.promise(ask)

const go = (page: Page, route: string): Effect.Effect<unknown> =>
  promise(() => page.evaluate(`location.hash = ${JSON.stringify(route)}`))

/** Presses keys one after another. */
const press = (page: Page, ...keys: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(keys, (key) => promise(() => page.keyboard.press(key)), { discard: true })

const type = (page: Page, text: string): Effect.Effect<void> => promise(() => page.keyboard.type(text))

const see = (page: Page, text: string, options: { readonly exact?: boolean } = {}): Effect.Effect<void> =>
  promise(() => page.getByText(text, options).first().waitFor({ timeout: 10_000 }))

const seen = (page: Page, selector: string): Effect.Effect<unknown> =>
  promise(() => page.waitForSelector(selector, { timeout: 10_000 }))

const gone = (page: Page, selector: string): Effect.Effect<unknown> =>
  promise(() => page.waitForSelector(selector, { state: "detached", timeout: 10_000 }))

/** Texts that would do something if they became markup, or would hide what stands beside them. */
const hostile = [
  `<img src=x onerror="alert(1)">`,
  `"><script>alert(1)</script>`,
  `\u202Egnp.exe\u2066`,
  `javascript:alert(1)`,
  "x".repeat(4_096),
  "a/b?c#d%25\u0000e",
]

/** A request that has just begun. */
const quietLive = {
  kind: "request",
  client: "192.0.2.1",
  method: "GET",
  status: 0,
  age_ms: 1,
  silent_ms: 1,
  bytes_in: 0,
  bytes_out: 0,
  messages_in: 0,
  messages_out: 0,
}

/** Milliseconds that the page's own thread has used of the processor, for scripts, styles and layout. */
const cpuOf = (page: Page): Effect.Effect<Effect.Effect<number>> =>
  Effect.gen(function* () {
    const tools = yield* promise(() => page.context().newCDPSession(page))
    yield* promise(() => tools.send("Performance.enable", { timeDomain: "threadTicks" }))
    return Effect.map(
      promise(() => tools.send("Performance.getMetrics")),
      ({ metrics }) => (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN) * 1_000,
    )
  })

interface Scrolled {
  /** Sessions that were there, rows in the document at most, and frames. */
  readonly count: number
  readonly rows: number
  readonly frames: number
  /** Milliseconds of script in a frame, and between two frames: half of them, 95 of 100, and the longest. */
  readonly script50: number
  readonly script95: number
  readonly scriptMost: number
  readonly gap50: number
  readonly gap95: number
  readonly gapMost: number
}

/** Runs in the page: scrolls to the end of the list, a screen or so in a frame, and measures. */
const scrollThrough = `(async () => {
  const list = document.querySelector(".list")
  const [script, gaps] = [[], []]
  const request = window.requestAnimationFrame.bind(window)
  window.requestAnimationFrame = (draw) => request((time) => {
    const from = performance.now()
    draw(time)
    script.push(performance.now() - from)
  })
  const frame = () => new Promise((resolve) => request(resolve))
  let [rows, last, still] = [0, performance.now(), 0]
  while (still < 40) {
    const before = list.scrollTop
    list.scrollTop += 1400
    await frame()
    gaps.push(performance.now() - last)
    last = performance.now()
    rows = Math.max(rows, list.querySelectorAll(".line").length)
    still = list.scrollTop === before ? still + 1 : 0
  }
  const at = (all, part) => all.toSorted((one, other) => one - other)[Math.floor(all.length * part)]
  return {
    count: Number(list.ariaRowCount), rows, frames: gaps.length,
    script50: at(script, 0.5), script95: at(script, 0.95), scriptMost: Math.max(...script),
    gap50: at(gaps, 0.5), gap95: at(gaps, 0.95), gapMost: Math.max(...gaps),
  }
})()`

type Contrasts = ReadonlyArray<readonly [pair: string, contrast: number]>

/** Runs in the page: the contrast of each colour of texts with what it stands on (WCAG 2.2, section 1.4.3). */
const measureContrast = `(() => {
  const style = getComputedStyle(document.documentElement)
  const light = (name) => {
    const hex = style.getPropertyValue(name).trim()
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }
  const texts = ["--text", "--dim", "--accent", "--good", "--warn", "--bad"]
  const pairs = texts.flatMap((text) => ["--card", "--back"].map((back) => [text, back]))
  const all = [...pairs, ["--on-accent", "--accent"], ["--accent", "--tint"], ["--text", "--tint"], ["--dim", "--tint"]]
  return all.map(([text, back]) => [text + " on " + back, contrast(text, back)])
})()`

// A browser on a machine that does something else, too.
vi.setConfig({ testTimeout: 60_000 })

describeUnless(lackingBrowser)("the dashboard", () => {
  layer(TestBrowser.layer, { excludeTestServices: true, timeout: 60_000 })((it) => {
    it.scoped("is signed in to, and adds, edits, drains, resumes, kills and removes, by keyboard alone", () =>
      Effect.gen(function* () {
        const busy = { ...noLive, websockets: 12 }
        const proxy = yield* startFakeProxy({ sessions: [fakeSession("alice"), fakeSession("bob", { live: busy })] })
        const page = yield* openDashboard(proxy.url, "")
        yield* see(page, "ss-proxy dashboard")
        yield* type(page, fakeToken)
        yield* press(page, "Enter")
        yield* seen(page, ".connection.open")
        assert.strictEqual(yield* promise(() => page.evaluate("location.href")), `${proxy.url}/`)
        yield* press(page, "g", "s")
        yield* see(page, "bob")
        yield* press(page, "a")
        yield* type(page, "carla")
        yield* press(page, "Tab")
        yield* type(page, "http://10.0.0.9:9000")
        yield* press(page, "Enter")
        yield* gone(page, "dialog")
        yield* see(page, "carla", { exact: true })
        // Down to the second row; only what is changed is sent.
        yield* press(page, "j", "j", "e")
        yield* seen(page, "dialog")
        yield* press(page, "Tab", "End")
        yield* type(page, "-2")
        yield* press(page, "Enter")
        yield* gone(page, "dialog")
        yield* press(page, "d", "Enter")
        yield* see(page, "draining")
        yield* press(page, "r")
        yield* promise(() => page.getByText("draining").first().waitFor({ state: "detached" }))
        // So much is live on it that its id has to be typed.
        yield* press(page, "x")
        yield* see(page, "12 live things end")
        yield* press(page, "Enter")
        yield* promise(() => page.getByLabel("Type the id").focus())
        yield* type(page, "bob")
        yield* press(page, "Enter")
        yield* gone(page, "dialog")
        assert.strictEqual(yield* promise(() => page.evaluate("document.activeElement.className")), "list")
        yield* press(page, "k", "Delete")
        // What cannot be taken back has the focus on Cancel.
        yield* seen(page, "dialog")
        yield* press(page, "Tab", "Enter")
        yield* gone(page, "dialog")
        yield* promise(() => page.getByText("alice", { exact: true }).waitFor({ state: "detached" }))
        assert.deepStrictEqual(proxy.changes, [
          ["PUT carla", { url: "http://10.0.0.9:9000", status: "active" }],
          ["PATCH bob", { status: "active-2" }],
          ["POST bob drain", { grace: "30s" }],
          ["DELETE bob drain", {}],
          ["POST bob kill", { code: 1001 }],
          ["DELETE alice", {}],
        ])
      }),
    )

    it.scoped("shows what others have changed meanwhile, and saves on top of it only when it is told to again", () =>
      Effect.gen(function* () {
        const proxy = yield* startFakeProxy({ sessions: [fakeSession("alice")] })
        const page = yield* openDashboard(proxy.url, fakeToken)
        yield* go(page, "#/sessions/alice")
        yield* see(page, "http://10.0.0.7:9000")
        yield* press(page, "e")
        yield* seen(page, "dialog")
        Object.assign(proxy.sessions[0] ?? {}, { url: "http://10.0.0.8:9000", updated_at: "2026-01-06T00:00:00Z" })
        yield* promise(() => page.getByLabel("Status").fill("paused"))
        yield* press(page, "Enter")
        yield* see(page, "url: http://10.0.0.7:9000 → http://10.0.0.8:9000")
        yield* press(page, "Enter")
        yield* gone(page, "dialog")
        expect(proxy.sessions[0]).toMatchObject({ status: "paused", url: "http://10.0.0.8:9000" })
      }),
    )

    it.scoped("shows ids, URLs, targets and user agents as text, whatever is in them", () =>
      Effect.gen(function* () {
        const live = (text: string, index: number) => ({
          ...quietLive,
          id: `l-${index}`,
          session: text,
          target: `/${text}`,
          server: text,
        })
        const failure = (text: string) => ({
          time: "2026-01-05T09:00:00Z",
          session: text,
          code: text,
          fault: "proxy",
          reason: text,
          status: 500,
          request_id: text,
          method: "GET",
          target: text,
          server: text,
        })
        const proxy = yield* startFakeProxy({
          sessions: hostile.map((text) => fakeSession(text, { url: text, status: text })),
          live: hostile.map(live),
          errors: hostile.map(failure),
          records: hostile.map((text) => ({ time: text, target: text, user_agent: text, method: text, cause: text })),
        })
        const page = yield* openDashboard(proxy.url, fakeToken)
        const texts = (selector: string) => promise(() => page.locator(selector).allTextContents())
        yield* go(page, "#/sessions")
        yield* seen(page, ".list .line")
        yield* promise(() =>
          page.waitForFunction(`document.querySelectorAll(".list .line:not([hidden])").length === 6`),
        )
        const rows = yield* texts(".list .id")
        for (const text of hostile) assert.include(rows, text)
        for (const route of ["#/live", "#/errors"]) {
          yield* go(page, route)
          yield* seen(page, "td.wide")
          const shown = (yield* texts("td.wide")).join("\n")
          for (const text of hostile) assert.include(shown, text)
        }
        for (const text of hostile) {
          yield* go(page, `#/sessions/${encodeURIComponent(text)}`)
          const isShown = `document.querySelector("h1")?.textContent === ${JSON.stringify(text)}`
          yield* promise(() => page.waitForFunction(isShown))
          yield* seen(page, ".chip.good")
        }
        yield* promise(() => page.getByRole("button", { name: "Start" }).click())
        yield* seen(page, ".tail li:nth-child(6)")
        assert.strictEqual(
          yield* promise(() => page.evaluate(`document.querySelectorAll("main img, main script").length`)),
          0,
        )
      }),
    )

    it.scoped("keeps what it shows while the proxy is away, says since when, and goes on by itself", () =>
      Effect.gen(function* () {
        const options = { sessions: [fakeSession("alice")] }
        const first = yield* Scope.make()
        const proxy = yield* Scope.extend(startFakeProxy(options), first)
        const page = yield* openDashboard(proxy.url, fakeToken)
        yield* go(page, "#/sessions")
        yield* see(page, "alice")
        yield* Scope.close(first, Exit.void)
        yield* see(page, "Disconnected for")
        yield* see(page, "alice")
        yield* startFakeProxy({ sessions: [fakeSession("alice"), fakeSession("bob")] }, proxy.port)
        yield* seen(page, ".connection.open")
        yield* see(page, "bob")
        assert.isFalse(yield* promise(() => page.locator(".banner").isVisible()))
      }),
    )

    it.scoped(
      "offers nothing that changes to a token that may only read, and asks for another where one is refused",
      () =>
        Effect.gen(function* () {
          const proxy = yield* startFakeProxy({ sessions: [fakeSession("alice")], readOnly: true })
          const page = yield* openDashboard(proxy.url, fakeToken)
          yield* see(page, "read only")
          yield* go(page, "#/sessions")
          yield* see(page, "alice")
          yield* press(page, "j", "x")
          yield* see(page, "This token may only read.")
          assert.strictEqual(yield* promise(() => page.getByRole("button", { name: "Add session" }).count()), 0)
          assert.isFalse(yield* promise(() => page.getByText("Kill").first().isVisible()))
          assert.deepStrictEqual(proxy.changes, [])
          yield* promise(() => page.evaluate(`location.hash = "#token=another-token-of-somebody"`))
          yield* see(page, "This token is not accepted")
        }),
    )

    it.scoped("says how to begin where there is nothing, and that nothing fits where nothing does", () =>
      Effect.gen(function* () {
        const proxy = yield* startFakeProxy({})
        const page = yield* openDashboard(proxy.url, fakeToken)
        yield* go(page, "#/sessions")
        yield* see(page, "No sessions yet")
        yield* press(page, "/")
        yield* type(page, "nobody")
        yield* see(page, "Nothing found")
        yield* go(page, "#/sessions/nobody")
        yield* see(page, "There is no session with this id.")
        assert.isFalse(yield* promise(() => page.getByText("Live log").isVisible()))
        assert.isFalse(yield* promise(() => page.getByRole("button", { name: "Kill" }).isVisible()))
      }),
    )

    it.scoped("scrolls through 10,000 sessions with few rows, little work in a frame, and all of them in the end", () =>
      Effect.gen(function* () {
        const proxy = yield* startFakeProxy(scenery(10_000))
        const page = yield* openDashboard(proxy.url, fakeToken)
        yield* go(page, "#/sessions")
        yield* seen(page, ".list .line.good")
        const cpu = yield* cpuOf(page)
        const before = yield* cpu
        const measured = yield* promise(() => page.evaluate<Scrolled>(scrollThrough))
        const perFrame = ((yield* cpu) - before) / measured.frames
        assert.strictEqual(measured.count, 10_000)
        assert.isAtMost(measured.rows, 60)
        // Where others use the machine, too, the time between two frames says nothing; time of the processor does.
        assert.isAtMost(perFrame, 16, JSON.stringify(measured))
        assert.isAtMost(measured.script50, 8, JSON.stringify(measured))
      }),
    )

    it.scoped("fits a screen of 360 pixels, light and dark, with enough contrast", () =>
      Effect.gen(function* () {
        const proxy = yield* startFakeProxy(scenery(50))
        for (const colorScheme of ["light", "dark"] as const) {
          const page = yield* openDashboard(proxy.url, fakeToken, {
            viewport: { width: 360, height: 740 },
            colorScheme,
          })
          for (const route of ["#/", "#/sessions", "#/live", "#/errors", "#/about", "#/sessions/alice-000000"]) {
            yield* go(page, route)
            yield* seen(page, "main .card")
            const width = yield* promise(() => page.evaluate<number>("document.documentElement.scrollWidth"))
            assert.isAtMost(width, 360, route)
          }
          const contrasts = yield* promise(() => page.evaluate<Contrasts>(measureContrast))
          for (const [name, contrast] of contrasts) assert.isAtLeast(contrast, 4.5, `${name} in ${colorScheme}`)
        }
      }),
    )
  })
})
