import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { referencePage } from "../../src/admin/calls/Reference.js"
import { apiDescription } from "../docs/ApiDescription.js"
import { root } from "../docs/Blocks.js"
import { startAdminLab } from "./AdminLab.js"

/** What must not be in a page without a script: something that runs, or that is loaded from elsewhere. */
const running = /<script|<iframe|<img|<link| on[a-z]+=|javascript:|https?:\/\//i

describe("the reference of the API", () => {
  it("for programs is docs/openapi.json; `node scripts/docs.mjs` writes it", () => {
    assert.strictEqual(readFileSync(join(root, "docs", "openapi.json"), "utf8"), apiDescription())
  })

  it.scopedLive("for people names every call and every shape, without a script", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      const page = yield* askPort("GET /docs")
      assert.strictEqual(page.status, 200)
      assert.match(page.value("content-security-policy") ?? "", /^default-src 'none'; style-src 'sha256-[^']+'; /)
      assert.notMatch(page.text, running)
      const { components, paths } = JSON.parse(apiDescription())
      for (const [path, item] of Object.entries<object>(paths))
        for (const method of Object.keys(item))
          assert.include(page.text, `<code>${method.toUpperCase()} ${path}</code></h3>`)
      for (const name of Object.keys(components.schemas)) assert.include(page.text, `<h3 id="schema-${name}">`)
      // Each link in the page leads to a place in it.
      for (const [, anchor] of page.text.matchAll(/href="#([^"]+)"/g)) assert.include(page.text, `id="${anchor}"`)
    }),
  )

  it("shows what a description says as text", () => {
    const hostile = `<script>alert("1")</script>`
    const { body } = referencePage(
      JSON.stringify({
        info: { title: hostile, version: "1" },
        paths: { [`/${hostile}`]: { get: { parameters: [], responses: {}, description: hostile } } },
        components: { schemas: { [hostile]: { enum: [hostile] } } },
      }),
    )
    assert.notMatch(String(body), running)
  })
})
