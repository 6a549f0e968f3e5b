import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Chromium, chromiumProgram } from "../support/Chromium.js"
import { describeUnless } from "../support/LeftOut.js"
import { lackingPackage, Reader } from "./Recipe.js"

const Called = Schema.parseJson(Schema.Struct({ event_id: Schema.String }))

/** Presses the page's button once it is there, and gives what appears in the field of the answer. */
const press = `new Promise((resolve) => {
  const button = () => [...document.querySelectorAll("button")].find(({ innerText }) => innerText.trim() === "Submit")
  const fields = () => [...document.querySelectorAll("textarea, input[type=text]")].map(({ value }) => value)
  let pressed = false
  const look = () => {
    const said = fields().find((value) => value.startsWith("Hello"))
    if (said !== undefined) return resolve(said)
    if (!pressed && button() !== undefined) {
      button().click()
      pressed = true
    }
    setTimeout(look, 50)
  }
  look()
})`

const missing = lackingPackage("gradio") ?? (chromiumProgram === undefined ? "Chromium is not installed" : undefined)

describeUnless(missing)("the recipe for Gradio", () => {
  it.scopedLive(
    "answers a call through its queue, for a program and in a browser",
    () =>
      Effect.gen(function* () {
        const reader = yield* Reader.follow(["Gradio"])
        const call = `${reader.proxy}/alice/gradio_api/call/greet`
        const stream = yield* Effect.promise(async () => {
          const headers = { "Content-Type": "application/json" }
          const body = await (await fetch(call, { method: "POST", headers, body: '{"data":["Bob"]}' })).text()
          const { event_id } = Schema.decodeUnknownSync(Called)(body)
          return (await fetch(`${call}/${event_id}`)).text()
        })
        assert.strictEqual(stream.trim(), 'event: complete\ndata: ["Hello, Bob!"]')
        const chromium = yield* Chromium.start(chromiumProgram ?? "chromium")
        const page = yield* chromium.open(`${reader.proxy}/alice/`)
        assert.strictEqual(yield* page.evaluate(press), "Hello, !")
      }),
    120_000,
  )
})
