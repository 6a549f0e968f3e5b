import { Effect } from "effect"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { fakeToken, startFakeProxy } from "./FakeProxy.js"
import { scenery } from "./Scenery.js"

interface Picture {
  readonly name: string
  readonly route: string
  readonly width: number
  readonly height: number
  readonly scheme: "light" | "dark"
  /** Keys that are pressed before it is taken. */
  readonly keys?: ReadonlyArray<string>
  readonly start?: boolean
}

const wide = { width: 1_280, height: 800 } as const

/** The pictures of docs/DASHBOARD.md. */
export const documented: ReadonlyArray<Picture> = [
  { name: "dashboard-overview", route: "#/", ...wide, scheme: "light" },
  { name: "dashboard-sessions", route: "#/sessions", ...wide, scheme: "dark", keys: ["j", "j", "j"] },
  { name: "dashboard-session", route: "session", ...wide, height: 1_250, scheme: "light", start: true },
  { name: "dashboard-phone", route: "#/sessions", width: 360, height: 720, scheme: "light" },
]

/** Takes pictures of the dashboard, with a proxy that is none behind it, into a folder. */
export const takePictures = (program: string, folder: string, pictures: ReadonlyArray<Picture>): Promise<void> =>
  Effect.gen(function* () {
    const options = scenery()
    const proxy = yield* startFakeProxy(options)
    const browser = yield* Effect.acquireRelease(
      Effect.promise(() => chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu"] })),
      (browser) => Effect.promise(() => browser.close()),
    )
    const first = options.sessions?.find(({ live }) => (live?.websockets ?? 0) > 3)?.id ?? ""
    for (const { height, keys = [], name, route, scheme, start = false, width } of pictures)
      yield* Effect.promise(async () => {
        const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme })
        const page = await context.newPage()
        await page.goto(`${proxy.url}/#token=${fakeToken}`)
        await page.waitForSelector(".connection.open")
        const place = route === "session" ? `#/sessions/${encodeURIComponent(first)}` : route
        await page.evaluate(`location.hash = ${JSON.stringify(place)}`)
        await page.waitForTimeout(600)
        if (start) await page.getByRole("button", { name: "Start" }).click()
        await page.evaluate(`document.querySelector(".page").scrollTop = 0`)
        for (const key of keys) await page.keyboard.press(key)
        await page.waitForTimeout(1_800)
        await page.screenshot({ path: join(folder, `${name}.png`) })
        await context.close()
      })
  }).pipe(Effect.scoped, Effect.runPromise)
