import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { refusalOf } from "../../src/admin/AdminGate.js"

const names = new Set(["admin.example"])
const statusOf = (...fields: ReadonlyArray<string>): number | undefined => refusalOf(fields, names)?.status

describe("the gate of the admin listener", () => {
  it("lets in who names an address, localhost or a name of --admin-hosts, with any port", () => {
    const hosts = [
      "127.0.0.1",
      "127.0.0.1:9091",
      "[::1]",
      "[::1]:1",
      "10.0.0.7",
      "localhost:80",
      "LocalHost",
      "Admin.Example",
    ]
    for (const host of hosts) assert.isUndefined(statusOf("Host", host), host)
  })

  it("refuses any other name, which may be one that somebody points here", () => {
    const hosts = [
      "evil.example",
      "localhost.evil.example",
      "127.0.0.1.nip.io",
      "admin.example.evil",
      "localhost.",
      "1.2.3.4.5",
    ]
    for (const host of hosts) assert.strictEqual(statusOf("Host", host), 421, host)
  })

  it("refuses a request without Host, with two, or with one that is none", () => {
    assert.strictEqual(statusOf(), 400)
    assert.strictEqual(statusOf("Host", "localhost", "hOST", "localhost"), 400)
    const hosts = ["", "a b", "localhost,evil", "user@localhost", "localhost/x", "[::1", "::1", "localhost:999999"]
    for (const host of hosts) assert.strictEqual(statusOf("Host", host), 400, host)
  })

  it("takes pages of its own, and of names in --admin-hosts wherever they are served", () => {
    assert.isUndefined(statusOf("Host", "127.0.0.1:9091", "Origin", "http://127.0.0.1:9091"))
    assert.isUndefined(statusOf("Host", "[::1]:9091", "Origin", "http://[::1]:9091"))
    assert.isUndefined(statusOf("Host", "127.0.0.1:9091", "Origin", "https://admin.example"))
    assert.isUndefined(statusOf("Host", "127.0.0.1:9091", "Sec-Fetch-Site", "same-origin"))
  })

  it("refuses pages of others", () => {
    const origins = [
      "null",
      "",
      "https://evil.example",
      "http://127.0.0.1:8080",
      "http://127.0.0.1:9091.evil.example",
      "http://localhost:9091",
      "https://evil.example/admin.example",
      "https://evil.example@admin.example.evil",
      "file://",
    ]
    for (const origin of origins) assert.strictEqual(statusOf("Host", "127.0.0.1:9091", "Origin", origin), 403, origin)
    const twice = ["Origin", "http://127.0.0.1:9091", "Origin", "https://evil.example"]
    assert.strictEqual(statusOf("Host", "127.0.0.1:9091", ...twice), 403)
    assert.strictEqual(statusOf("Host", "127.0.0.1:9091", "Sec-Fetch-Site", "Cross-Site"), 403)
  })

  it("never lets in a name that is not ours, however it is written", () => {
    fc.assert(
      fc.property(fc.domain(), fc.string(), (domain, more) => {
        assert.isDefined(statusOf("Host", domain))
        assert.isDefined(statusOf("Host", `${more}.${domain}`))
        assert.isDefined(statusOf("Host", "localhost", "Origin", `https://${domain}${more}`))
      }),
    )
  })
})
