import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Socket } from "node:net"
import { ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { ConnectionSlots } from "../../src/server/ConnectionSlots.js"
import { Call, type CallListener, forkInto } from "../../src/step/Call.js"
import { type ConnectingClient, Slots, type SlotsOf, type Taken } from "../../src/traffic/Slots.js"
import { Traffic } from "../../src/traffic/Traffic.js"

const slotsWith = (slots: SlotsOf<ConnectingClient>, maxConnectionsPerClient: number) =>
  Effect.map(
    Effect.runtime<never>(),
    (runtime) => new ConnectionSlots(slots, { maxConnections: Infinity, maxConnectionsPerClient }, forkInto(runtime)),
  )

/** Slots where each client may have so many connections. */
const slotsFor = (maxConnectionsPerClient: number) =>
  Effect.gen(function* () {
    const { connections } = yield* Slots
    return yield* connections === undefined
      ? Effect.dieMessage("there is a limit")
      : slotsWith(connections, maxConnectionsPerClient)
  }).pipe(
    Effect.provide(Slots.layer),
    Effect.provide(Layer.provideMerge(Traffic.layer, ProxyConfig.layer({ maxConnectionsPerClient }))),
  )

const clientAt = (address: string) => ({ address, trusted: false })

/** Whether each of these clients, one after another, is taken in where each may have one connection. */
const admitted = (addresses: ReadonlyArray<string>) =>
  Effect.map(slotsFor(1), (slots) =>
    addresses.map((address) => {
      let isTaken = true
      const refused = () => void (isTaken = false)
      const open = () => ({ socket: new Socket(), refuse: refused, refuseUnanswered: refused })
      slots.admit(clientAt(address), { open, cut: () => {} })
      return isTaken
    }),
  )

/** A place that nobody gives. */
class Unanswered extends Call<Taken> {
  isCancelled = false
  override start(_listener: CallListener<Taken, never>): void {}
  override cancel(): void {
    this.isCancelled = true
  }
}

describe("the connections of each client", () => {
  it.effect("are those of an IPv4 address, which may be written as one of IPv6", () =>
    Effect.gen(function* () {
      const addresses = ["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "::ffff:c000:202"]
      expect(yield* admitted(addresses)).toEqual([true, true, false, false])
    }),
  )

  it.effect("are those of a /64 of IPv6, which one client can take any address of", () =>
    Effect.gen(function* () {
      const addresses = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff:ffff:ffff:ffff", "2001:db8:0:1::1", "::1"]
      expect(yield* admitted(addresses)).toEqual([true, false, false, true, true])
    }),
  )

  it.effect("are those of one address where many clients have a /64", () =>
    Effect.gen(function* () {
      const addresses = ["fe80::1%eth0", "fe80::2%eth0", "fe80::1%eth0", "64:ff9b::c000:201", "64:ff9b::c000:202"]
      expect(yield* admitted(addresses)).toEqual([true, true, false, true, true])
    }),
  )

  it.effect("are counted until they close, whichever address of the /64 closes", () =>
    Effect.gen(function* () {
      const slots = yield* slotsFor(2)
      const taken: Array<string> = []
      const open = (address: string) => {
        const socket = new Socket()
        const refused = () => void taken.pop()
        taken.push(address)
        const connection = { socket, refuse: refused, refuseUnanswered: refused }
        slots.admit(clientAt(address), { open: () => connection, cut: () => {} })
        return socket
      }
      const [first] = [open("2001:db8::1"), open("2001:db8::2"), open("2001:db8::3")]
      first.emit("close")
      open("2001:db8::4")
      open("2001:db8::5")
      expect(taken).toEqual(["2001:db8::1", "2001:db8::2", "2001:db8::4"])
    }),
  )
})

describe("a connection that waits for its place", () => {
  const waiting = Effect.gen(function* () {
    const place = new Unanswered()
    const slots = yield* slotsWith({ take: () => place }, 1)
    const seen: Array<string> = []
    const note = (what: string) => () => void seen.push(what)
    const open = () => {
      seen.push("opened")
      return { socket: new Socket(), refuse: note("refused"), refuseUnanswered: note("refused") }
    }
    slots.admit(clientAt("192.0.2.1"), { open, cut: note("cut") })
    expect(seen).toEqual([])
    return { place, seen, slots }
  })

  it.effect("is opened where the proxy stops accepting, and wants none any more", () =>
    Effect.gen(function* () {
      const { place, seen, slots } = yield* waiting
      slots.letIn()
      slots.letIn()
      slots.cut()
      expect(seen).toEqual(["opened"])
      expect(place.isCancelled).toBe(true)
    }),
  )

  it.effect("ends with the proxy", () =>
    Effect.gen(function* () {
      const { place, seen, slots } = yield* waiting
      slots.cut()
      slots.letIn()
      expect(seen).toEqual(["cut"])
      expect(place.isCancelled).toBe(true)
    }),
  )
})
