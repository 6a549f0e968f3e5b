import { describe, expect, it } from "@effect/vitest"
import { Socket } from "node:net"
import { ConnectionSlots } from "../../src/server/ConnectionSlots.js"

/** Whether each of these clients, one after another, is taken in where each may have one connection. */
const admitted = (addresses: ReadonlyArray<string>): ReadonlyArray<boolean> => {
  const slots = new ConnectionSlots({ maxConnections: Infinity, maxConnectionsPerClient: 1 })
  return addresses.map((address) => {
    let isTaken = true
    const refused = () => void (isTaken = false)
    const client = { address, trusted: false, proto: "http" } as const
    slots.admit(new Socket(), { client, refuse: refused, refuseUnanswered: refused })
    return isTaken
  })
}

describe("the connections of each client", () => {
  it("are those of an IPv4 address, which may be written as one of IPv6", () => {
    expect(admitted(["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "::ffff:c000:202"])).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it("are those of a /64 of IPv6, which one client can take any address of", () => {
    expect(
      admitted(["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:1::1", "::1"]),
    ).toEqual([true, false, false, true, true])
  })

  it("are those of one address where many clients have a /64", () => {
    expect(
      admitted(["fe80::1%eth0", "fe80::2%eth0", "fe80::1%eth0", "64:ff9b::c000:201", "64:ff9b::c000:202"]),
    ).toEqual([true, true, false, true, true])
  })

  it("are counted until they close, whichever address of the /64 closes", () => {
    const slots = new ConnectionSlots({ maxConnections: Infinity, maxConnectionsPerClient: 2 })
    const taken: Array<string> = []
    const open = (address: string) => {
      const socket = new Socket()
      const refused = () => void taken.pop()
      taken.push(address)
      slots.admit(socket, {
        client: { address, trusted: false, proto: "http" },
        refuse: refused,
        refuseUnanswered: refused,
      })
      return socket
    }
    const [first] = [open("2001:db8::1"), open("2001:db8::2"), open("2001:db8::3")]
    first.emit("close")
    open("2001:db8::4")
    open("2001:db8::5")
    expect(taken).toEqual(["2001:db8::1", "2001:db8::2", "2001:db8::4"])
  })
})
