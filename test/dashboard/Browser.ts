import { assert } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { chromiumProgram } from "../support/Chromium.js"
import { pathOf } from "../support/Tool.js"

/** Debian's Chromium, one for all tests of a file. */
export class TestBrowser extends Context.Tag("test/TestBrowser")<TestBrowser, Browser>() {
  static readonly layer = Layer.scoped(
    TestBrowser,
    Effect.acquireRelease(
      Effect.promise(() =>
        chromium.launch({
          executablePath: pathOf(chromiumProgram ?? "") ?? "chromium",
          args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        }),
      ),
      (browser) => Effect.promise(() => browser.close()),
    ),
  )
}

/** Why the tests are left out; `undefined` where they are not. */
export const lackingBrowser = chromiumProgram === undefined ? "Chromium is not installed" : undefined

/** Runs in the page: what its policy forbids is said where a test hears it. */
const reportViolations = `document.addEventListener("securitypolicyviolation", ({ violatedDirective }) =>
  console.error("content security policy: " + violatedDirective))`

/**
 * Opens the dashboard with a token, or without one. It is closed with the scope, and must have done nothing wrong: run what it was
 * not built with, broken down, or asked anybody else.
 */
export const openDashboard = (
  url: string,
  token: string,
  options: BrowserContextOptions = {},
): Effect.Effect<Page, never, TestBrowser | Scope.Scope> =>
  Effect.gen(function* () {
    const browser = yield* TestBrowser
    const context = yield* Effect.acquireRelease(
      Effect.promise(() => browser.newContext(options)),
      (context) => Effect.promise(() => context.close()),
    )
    const faults: Array<string> = []
    const page = yield* Effect.promise(() => context.newPage())
    page.on("pageerror", (error) => faults.push(`thrown: ${error.message}`))
    page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`))
    page.on("console", (line) => {
      if (/content security policy|trustedhtml/i.test(line.text())) faults.push(line.text())
    })
    page.on("request", (request) => {
      const to = request.url()
      if (!to.startsWith(`${url}/`) && !to.startsWith("data:")) faults.push(`asked elsewhere: ${to}`)
    })
    yield* Effect.promise(() => page.addInitScript({ content: reportViolations }))
    yield* Effect.promise(() => page.goto(token === "" ? `${url}/` : `${url}/#token=${token}`))
    yield* Effect.addFinalizer(() => Effect.sync(() => assert.deepStrictEqual(faults, [])))
    return page
  })
