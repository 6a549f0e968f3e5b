import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { root } from "../docs/Blocks.js"
import { readToken, startAdminLab, writeToken } from "./AdminLab.js"

const page = join(root, "dist", "page")
const zips = ["Host: localhost", "Accept-Encoding: br, gzip"]

/** Paths of code and style, as the page names them. */
const partsOf = (html: string): ReadonlyArray<string> =>
  [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = ""]) => path)

describe("the dashboard's files", () => {
  it.scopedLive("are there without a token, the page never kept, its parts for ever", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      const html = yield* askPort("GET /")
      assert.deepStrictEqual([html.status, html.value("cache-control")], [200, "no-store"])
      assert.strictEqual(html.value("content-type"), "text/html; charset=utf-8")
      const paths = partsOf(html.text)
      assert.strictEqual(paths.length, 2)
      for (const path of paths) {
        const plain = yield* askPort(`GET ${path}`)
        assert.strictEqual(plain.value("cache-control"), "public, max-age=31536000, immutable")
        assert.strictEqual(plain.value("x-content-type-options"), "nosniff")
        const zipped = yield* askPort(`GET ${path}`, zips)
        assert.strictEqual(zipped.value("content-encoding"), "gzip")
        assert.strictEqual(zipped.value("vary"), "Accept-Encoding")
        assert.isTrue(gunzipSync(zipped.body).equals(plain.body))
        const refused = yield* askPort(`GET ${path}`, ["Host: localhost", "Accept-Encoding: gzip;q=0"])
        assert.isUndefined(refused.value("content-encoding"))
      }
    }),
  )

  it.scopedLive("run nothing but their own, and ask nobody but this listener", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      const html = yield* askPort("GET /")
      const policy = html.value("content-security-policy") ?? ""
      for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"])
        assert.include(policy, rule)
      assert.notInclude(policy, "unsafe")
      assert.strictEqual(html.value("referrer-policy"), "no-referrer")
      assert.strictEqual(html.value("cross-origin-opener-policy"), "same-origin")
      // Neither is code in the page itself, nor an address elsewhere.
      assert.notMatch(html.text, /<script(?![^>]* src="\/)|https?:\/\/(?!www\.w3\.org\/2000\/svg)| on[a-z]+=/)
    }),
  )

  it.scopedLive("are none but those: no path leads elsewhere, and no page of another origin is answered", () =>
    Effect.gen(function* () {
      const { askPort } = yield* startAdminLab()
      for (const path of ["/page-AAAAAAAA.js", "/index.html", "/../package.json", "/%2e%2e/package.json", "/page/"])
        assert.strictEqual((yield* askPort(`GET ${path}`)).status, 404, path)
      assert.strictEqual((yield* askPort("POST /")).status, 405)
      assert.strictEqual((yield* askPort("GET /", ["Host: evil.example"])).status, 421)
      assert.strictEqual((yield* askPort("GET /", ["Host: localhost", "Origin: http://evil.example"])).status, 403)
    }),
  )

  it.scopedLive("learn from each answer whether their token may change something", () =>
    Effect.gen(function* () {
      const { askPort, askWith } = yield* startAdminLab()
      assert.strictEqual((yield* askWith(readToken, "GET /v1/version")).value("ss-proxy-access"), "read")
      assert.strictEqual((yield* askWith(writeToken, "GET /v1/version")).value("ss-proxy-access"), "write")
      assert.isUndefined((yield* askPort("GET /v1/version")).value("ss-proxy-access"))
    }),
  )

  it("weigh at most 120 KB, 45 KB compressed", () => {
    const sizeOf = (isZipped: boolean): number =>
      readdirSync(page)
        .filter((name) => name.endsWith(".gz") === isZipped)
        .reduce((sum, name) => sum + readFileSync(join(page, name)).length, 0)
    assert.isAtMost(sizeOf(false), 120 * 1_024)
    assert.isAtMost(sizeOf(true), 45 * 1_024)
  })
})
