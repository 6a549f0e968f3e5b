import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Chromium, chromiumProgram, type Page } from "../support/Chromium.js"
import { describeUnless } from "../support/LeftOut.js"
import { openWs } from "../support/WsPeer.js"
import { lackingPackage, Reader } from "./Recipe.js"

/** Waits until a page shows these words. */
const shows = (page: Page, words: string) =>
  page.evaluate(`new Promise((resolve) => {
    const look = () => document.body.innerText.includes(${JSON.stringify(words)}) ? resolve(true) : setTimeout(look, 50)
    look()
  })`)

const missing = lackingPackage("streamlit") ?? (chromiumProgram === undefined ? "Chromium is not installed" : undefined)

describeUnless(missing)("the recipe for Streamlit", () => {
  it.scopedLive(
    "shows the page in a browser, with what came over its WebSocket, and lets it in from a name of the proxy",
    () =>
      Effect.gen(function* () {
        const reader = yield* Reader.follow(["Streamlit"])
        const chromium = yield* Chromium.start(chromiumProgram ?? "chromium")
        const page = yield* chromium.open(`${reader.proxy}/alice`)
        yield* shows(page, "Hello, Alice!")
        assert.strictEqual(yield* page.evaluate("location.pathname"), "/alice/")
        const headers = { Host: "proxy.example.com", Origin: "http://proxy.example.com" }
        const socket = yield* openWs(`${reader.proxy}/alice/_stcore/stream`, { headers, protocols: ["streamlit"] })
        assert.strictEqual(socket.socket.protocol, "streamlit")
      }),
    120_000,
  )
})
