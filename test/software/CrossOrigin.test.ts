import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Chromium, chromiumProgram } from "../support/Chromium.js"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { describeUnless } from "../support/LeftOut.js"
import { unusedPort } from "../support/Listening.js"
import { startProxy } from "../support/TestProxy.js"

/** One browser for all pages of these tests. */
class Browser extends Context.Tag("test/Browser")<Browser, Chromium>() {
  static readonly layer = Layer.scoped(Browser, Chromium.start(chromiumProgram ?? "chromium"))
}

const pageOrigin = HttpOrigin.start((_, response) => {
  response.setHeader("Content-Type", "text/html")
  response.end("<!doctype html><title>page</title>")
})

/** What a script sees of a request: status, code and whether it can read the request's id; or that it sees nothing. */
const expression = (url: string, init: object): string => `
  fetch(${JSON.stringify(url)}, ${JSON.stringify(init)}).then(
    async (response) => [response.status, (await response.json()).code, response.headers.has("x-request-id")].join(" "),
    () => "nothing",
  )`

/** A request that a browser sends a preflight before. */
const unusual = { method: "PATCH", headers: { "content-type": "application/json", "x-own": "1" }, body: "{}" }

describeUnless(chromiumProgram === undefined ? "Chromium is not installed" : undefined)(
  "a script of another origin",
  () => {
    layer(Browser.layer, { timeout: 60_000, excludeTestServices: true })((it) => {
      it.scoped("reads the errors of the proxy where its origin is listed, and another's does not", () =>
        Effect.gen(function* () {
          const listed = yield* pageOrigin
          const other = yield* pageOrigin
          const proxy = yield* startProxy({
            sessions: {
              refused: `http://127.0.0.1:${yield* unusedPort}`,
              paused: { url: listed.url, status: "paused" },
            },
            settings: { cors: listed.url },
          })
          const browser = yield* Browser
          const page = yield* browser.open(listed.url)
          const stranger = yield* browser.open(other.url)
          const errors = {
            nobody: "404 session_not_found",
            refused: "502 downstream_unreachable",
            paused: "503 session_unavailable",
          }
          for (const [id, error] of Object.entries(errors))
            for (const init of [{}, { credentials: "include" }, unusual]) {
              const ask = expression(`${proxy.url}/${id}/x`, init)
              assert.strictEqual(yield* page.evaluate(ask), `${error} true`)
              assert.strictEqual(yield* stranger.evaluate(ask), "nothing")
            }
        }),
      )

      it.scoped(
        "reads no answer of a server that does not say so, and gets that server's own answer to a preflight",
        () =>
          Effect.gen(function* () {
            const origin = yield* pageOrigin
            const proxy = yield* startProxy({ sessions: { app: origin.url }, settings: { cors: origin.url } })
            const page = yield* Effect.flatMap(Browser, (browser) => browser.open(origin.url))
            for (const init of [{}, unusual])
              assert.strictEqual(yield* page.evaluate(expression(`${proxy.url}/app/x`, init)), "nothing")
            const asked = origin.exchanges.map(({ request }) => request)
            const methods = asked.filter(({ url }) => url === "/x").map(({ method }) => method)
            assert.deepStrictEqual(methods, ["GET", "OPTIONS"])
          }),
      )

      it.scoped("reads the errors of one session by its policy alone, as that is changed", () =>
        Effect.gen(function* () {
          const origin = yield* pageOrigin
          const proxy = yield* startProxy({})
          const url = `http://127.0.0.1:${yield* unusedPort}`
          yield* proxy.repo.add({ id: "open", url, status: "active", policy: { cors: "*" } })
          yield* proxy.repo.add({ id: "shut", url, status: "active" })
          const page = yield* Effect.flatMap(Browser, (browser) => browser.open(origin.url))
          const ask = (id: string) => page.evaluate(expression(`${proxy.url}/${id}/x`, unusual))
          const readable = "502 downstream_unreachable true"
          assert.deepStrictEqual(
            [yield* ask("open"), yield* ask("shut"), yield* ask("none")],
            [readable, "nothing", "nothing"],
          )
          yield* proxy.repo.set("open", { policy: { cors: "off" } })
          yield* proxy.repo.set("shut", { policy: { cors: origin.url }, status: "paused" })
          yield* Effect.sleep(10)
          assert.deepStrictEqual([yield* ask("open"), yield* ask("shut")], ["nothing", "503 session_unavailable true"])
        }),
      )
    })
  },
)
