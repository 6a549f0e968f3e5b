import { Context, Layer } from "effect"
import type { AddressInfo } from "node:net"
import { networkInterfaces } from "node:os"
import { addressBytes } from "./AddressGuard.js"

/** How long the addresses of this machine count as known, in milliseconds. */
const machineAge = 1_000

/** The bytes of an address as one text, four of IPv4 also where it is mapped to IPv6; `""` for what is no address. */
const canonical = (address: string): string => addressBytes(address)?.join(".") ?? ""

const isIpv4 = (address: string): boolean => address.split(".").length === 4

const [anyIpv4, anyIpv6] = [canonical("0.0.0.0"), canonical("::")]

/** Who connects to no address in particular reaches this machine. */
const reached: ReadonlyMap<string, string> = new Map([
  [anyIpv4, canonical("127.0.0.1")],
  [anyIpv6, canonical("::1")],
])

/** The addresses of this machine. Asking for them takes some system calls. */
class Machine {
  private addresses: ReadonlySet<string> = new Set()
  private askedAt = Number.NEGATIVE_INFINITY

  has(address: string): boolean {
    const isLoopback = isIpv4(address) && address.startsWith("127.")
    return isLoopback || this.current.has(address)
  }

  private get current(): ReadonlySet<string> {
    const now = performance.now()
    if (now - this.askedAt < machineAge) return this.addresses
    this.askedAt = now
    const found = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? [])
    this.addresses = new Set(found.map(({ address }) => canonical(address)))
    return this.addresses
  }
}

/** Where a proxy listens: a connection to there would lead in a circle. */
export class ListenerAddresses {
  private readonly listeners: Array<AddressInfo> = []
  private readonly machine = new Machine()

  /** Somebody listens there from now on. */
  add(listener: AddressInfo): void {
    this.listeners.push(listener)
  }

  /** Whether a connection to this IP address and port would be one to the proxy itself. */
  has(address: string, port: number): boolean {
    return this.listeners.some((listener) => listener.port === port && this.isAt(listener.address, address))
  }

  private isAt(listening: string, address: string): boolean {
    const named = canonical(address)
    const wanted = reached.get(named) ?? named
    switch (canonical(listening)) {
      case anyIpv4:
        return isIpv4(wanted) && this.machine.has(wanted)
      case anyIpv6:
        // IPv4 is taken in as well.
        return this.machine.has(wanted)
      default:
        return canonical(listening) === wanted
    }
  }
}

/** The listeners of the proxy that a dialer belongs to. Each proxy has its own: two in one process are no loop. */
export class OwnListeners extends Context.Reference<OwnListeners>()("@ss-proxy/OwnListeners", {
  defaultValue: () => new ListenerAddresses(),
}) {
  static readonly layer: Layer.Layer<OwnListeners> = Layer.sync(OwnListeners, () => new ListenerAddresses())
}
