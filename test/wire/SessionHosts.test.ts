import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { isLabel, SessionHosts } from "../../src/wire/SessionHosts.js"
import { isHost } from "../../src/wire/RequestFraming.js"

const hosts = SessionHosts.of(["apps.example.com", "example.com", "Localhost"])

/** The label that names a session; `undefined` where the host routes by path, and `null` where it is nobody's. */
const named = (host: string): string | null | undefined => {
  const below = hosts?.below(host)
  return below === undefined || isLabel(below) ? below : null
}

describe("a host below --session-hosts", () => {
  it.each([
    ["alice.apps.example.com", "alice"],
    ["ALICE.Apps.Example.COM", "alice"],
    ["alice.apps.example.com:8443", "alice"],
    ["alice.apps.example.com:", "alice"],
    ["alice.apps.example.com.", "alice"],
    ["alice.apps.example.com.:80", "alice"],
    ["alice.localhost:8080", "alice"],
    ["xn--caf-dma.localhost", "xn--caf-dma"],
    ["under_score.localhost", "under_score"],
    [`${"a".repeat(63)}.localhost`, "a".repeat(63)],
    // The longest of the names counts: this is no session of example.com's named apps.
    ["alice.example.com", "alice"],
  ])("names a session: %s", (host, id) => {
    assert.strictEqual(named(host), id)
  })

  it.each([
    "alice.bob.apps.example.com",
    ".apps.example.com",
    "..apps.example.com",
    "alice..apps.example.com",
    "alice.apps.example.com..",
    "-alice.localhost",
    "alice-.localhost",
    "%61lice.localhost",
    "alice%2elocalhost",
    "alice.localhost%2E",
    "alice.%6cocalhost",
    "a+b.localhost",
    "a,b.localhost",
    "*.localhost",
    `${"a".repeat(64)}.localhost`,
    "127.0.0.1.localhost",
  ])("may be nobody's: %s", (host) => {
    assert.isNull(named(host))
  })

  it.each([
    "",
    ":80",
    "apps.example.com",
    "APPS.example.com.:80",
    "example.com",
    "localhost",
    "localhost:8080",
    "localhost.",
    "evilapps.example.org",
    "evillocalhost",
    "alice.apps.example.com.evil.test",
    "localhost.evil.test",
    "alice.localhost.evil",
    "127.0.0.1:8080",
    "[::1]:8080",
    "[::1]",
  ])("is none: %s", (host) => {
    assert.isUndefined(named(host))
  })

  it("is not one that merely ends in the same letters", () => {
    assert.isUndefined(SessionHosts.of(["apps.example.com"])?.below("evilapps.example.com"))
    assert.isUndefined(SessionHosts.of(["apps.example.com"])?.below("alice-apps.example.com"))
  })

  it("is never asked for where there are no names", () => {
    assert.isUndefined(SessionHosts.of([]))
  })

  const label = fc.stringMatching(/^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/)
  const port = fc.constantFrom("", ":", ":80", ":65535")

  it("gives back every label, whatever the case, the port and the dot at the end", () => {
    fc.assert(
      fc.property(label, port, fc.boolean(), fc.boolean(), (id, port, isAbsolute, isUpper) => {
        const name = `${id}.apps.example.com${isAbsolute ? "." : ""}${port}`
        assert.strictEqual(named(isUpper ? name.toUpperCase() : name), id.toLowerCase())
      }),
    )
  })

  const pieces = ["alice", "bob", ".", "..", "-", "%2e", "%", ":80", "localhost", ".localhost", "evil", "A"]
  const piece = fc.constantFrom(...pieces)

  it("names, of any host, only the session whose label stands alone before the name", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
        const host = pieces.join("")
        const id = isHost(host) ? named(host) : undefined
        if (typeof id !== "string") return
        const [name = ""] = host.split(":")
        const rest = name.toLowerCase().slice(id.length)
        assert.isTrue(name.toLowerCase().startsWith(`${id}.`))
        assert.include([".localhost", ".localhost."], rest)
        assert.match(id, /^[a-z0-9_-]+$/)
      }),
      { numRuns: 2_000 },
    )
  })
})
