import { assert, describe, it } from "@effect/vitest"
import type { AddressInfo } from "node:net"
import { networkInterfaces } from "node:os"
import { ListenerAddresses } from "../../src/downstream/OwnListeners.js"

const listeningAt = (...addresses: ReadonlyArray<string>): ListenerAddresses => {
  const own = new ListenerAddresses()
  for (const address of addresses) {
    const listener: AddressInfo = { address, port: 8080, family: address.includes(":") ? "IPv6" : "IPv4" }
    own.add(listener)
  }
  return own
}

const machine = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? [])
const addressesOf = (family: "IPv4" | "IPv6") =>
  machine.filter((found) => found.family === family).map(({ address }) => address)

/** Addresses that documents use, and no machine has (RFC 5737, RFC 3849). */
const strangers = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"]

const assertOwn = (own: ListenerAddresses, addresses: ReadonlyArray<string>, expected: boolean): void => {
  for (const address of addresses) assert.strictEqual(own.has(address, 8080), expected, address)
}

describe("the proxy's own listeners", () => {
  it("are none before it listens", () => {
    assertOwn(listeningAt(), ["127.0.0.1", "::1", "0.0.0.0", ...strangers], false)
  })

  it("are at one address where it listens at that, however it is written", () => {
    const own = listeningAt("127.0.0.1")
    assertOwn(own, ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0.0.0.0"], true)
    assertOwn(own, ["127.0.0.2", "::1", "::", ...strangers], false)
    const six = listeningAt("::1")
    assertOwn(six, ["::1", "0:0:0:0:0:0:0:1", "::"], true)
    assertOwn(six, ["127.0.0.1", "0.0.0.0", ...strangers], false)
  })

  it("are at every IPv4 address of the machine where it listens at 0.0.0.0", () => {
    const own = listeningAt("0.0.0.0")
    assertOwn(own, ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::ffff:127.0.0.1", ...addressesOf("IPv4")], true)
    assertOwn(own, ["::1", "::", ...addressesOf("IPv6"), ...strangers], false)
  })

  it("are at every address of the machine where it listens at ::", () => {
    const own = listeningAt("::")
    const all = ["127.0.0.1", "::1", "::", "0.0.0.0", ...addressesOf("IPv4"), ...addressesOf("IPv6")]
    // Some machines have no IPv6, not even on the loopback interface.
    const has = all.filter((address) => !address.startsWith("::") || addressesOf("IPv6").includes("::1"))
    assertOwn(own, has, true)
    assertOwn(own, strangers, false)
  })

  it("are all of them where it listens at several", () => {
    const own = listeningAt("127.0.0.1", "::1")
    assertOwn(own, ["127.0.0.1", "::1"], true)
    assertOwn(own, ["127.0.0.2"], false)
  })

  it("are at their own ports only", () => {
    const own = listeningAt("0.0.0.0")
    assert.isFalse(own.has("127.0.0.1", 8081))
    own.add({ address: "0.0.0.0", port: 8081, family: "IPv4" })
    assert.isTrue(own.has("127.0.0.1", 8081))
  })

  it("are no names", () => {
    assertOwn(listeningAt("0.0.0.0"), ["localhost", "", "127.1"], false)
  })
})
