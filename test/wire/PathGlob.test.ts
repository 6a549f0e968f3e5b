import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { targetMatcher } from "../../src/wire/PathGlob.js"
import { fairNow } from "../support/FairClock.js"

const matches = (glob: string, target: string): boolean | undefined => targetMatcher([glob])?.(target, false)

/** The same by a regular expression, which may take for ever. */
const expressionOf = (glob: string): RegExp => {
  const segments = glob
    .slice(1)
    .split("/")
    .map((segment) =>
      segment === "**" ? "(/[^/]*)*" : `/${segment.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*+/g, "[^/]*")}`,
    )
  return new RegExp(`^${segments.join("")}$`)
}

describe("paths behind a session that do not count", () => {
  it("are none where there are no globs", () => {
    assert.isUndefined(targetMatcher([]))
  })

  it.each([
    ["/api/status", "/alice/api/status", true],
    ["/api/status", "/alice/api/status?since=5", true],
    ["/api/status", "/ws/alice/api/status", true],
    ["/api/status", "http://proxy.example/alice/api/status", true],
    ["/api/status", "/alice/api/status/", false],
    ["/api/status", "/alice/api/Status", false],
    ["/api/status", "/api/status", false],
    ["/api/*", "/alice/api/", true],
    ["/api/*", "/alice/api/a.b", true],
    ["/api/*", "/alice/api/a/b", false],
    ["/api/**", "/alice/api", true],
    ["/api/**", "/alice/api/a/b", true],
    ["/**/ping", "/alice/ping", true],
    ["/**/ping", "/alice/a/b/ping", true],
    ["/**/ping", "/alice/a/b/pings", false],
    ["/a*c", "/alice/abbc", true],
    ["/", "/alice", true],
    ["/", "/alice/", true],
    ["/", "/alice?x", true],
    ["/%20", "/alice/%20", true],
    ["/**", "/health", false],
    ["/**", "*", false],
  ])("%s, asked for by %s: %s", (glob, target, expected) => {
    assert.strictEqual(matches(glob, target), expected)
  })

  it("are those that the same regular expression finds", () => {
    const sign = fc.constantFrom("a", "b", "*", ".")
    const segment = fc.oneof(fc.constant("**"), fc.string({ unit: sign, maxLength: 4 }))
    const path = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "."), maxLength: 4 }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), path, (globs, segments) => {
        const glob = `/${globs.join("/")}`
        const rest = `/${segments.join("/")}`
        assert.strictEqual(matches(glob, `/s${rest}`), expressionOf(glob).test(rest), `${glob} ${rest}`)
      }),
      { numRuns: 3_000 },
    )
  })

  it("take no longer than the product of both lengths, whatever a client asks for", () => {
    const target = `/s${"/a".repeat(15_000)}/c`
    const begun = fairNow()
    assert.strictEqual(matches("/**/a/**/a/**/a/**/b", target), false)
    assert.strictEqual(matches(`/${"*a".repeat(20)}b`, `/s/${"a".repeat(30_000)}`), false)
    assert.isBelow(fairNow() - begun, 1_000)
  })
})
