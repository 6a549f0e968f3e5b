import { assert, describe, it } from "@effect/vitest"
import { shortageOf } from "../../src/downstream/Shortage.js"

/** An error as node reports one of the system. */
const systemError = (code: string, facts: Readonly<Record<string, string>> = {}): Error =>
  Object.assign(new Error(`connect ${code}`), { code, ...facts })

describe("a connection that could not be made", () => {
  for (const [code, lacking, hint] of [
    ["EMFILE", "files", "ulimit -n"],
    ["ENFILE", "files", "fs.file-max"],
    ["ENOBUFS", "memory", "memory"],
    ["ENOMEM", "memory", "memory"],
    ["EADDRNOTAVAIL", "ports", "ip_local_port_range"],
  ] as const)
    it(`for want of ${lacking} is the proxy's own trouble: ${code}`, () => {
      const found = shortageOf(systemError(code, { address: "127.0.0.1" }))
      assert.strictEqual(found?.lacking, lacking)
      assert.include(found?.hint, hint)
    })

  it("for any other reason is not", () => {
    const others = ["ECONNREFUSED", "ETIMEDOUT", "EHOSTUNREACH", "constructor", ""].map((code) => systemError(code))
    for (const error of [...others, new Error("no code"), "no error", undefined]) assert.isUndefined(shortageOf(error))
  })

  it("because there is no such name is not, as long as files can be opened", () => {
    assert.isUndefined(shortageOf(systemError("ENOTFOUND", { syscall: "getaddrinfo" })))
  })

  it("to an address of a kind that this machine has none of is not", () => {
    assert.isUndefined(shortageOf(systemError("EADDRNOTAVAIL", { address: "no address" })))
  })
})
