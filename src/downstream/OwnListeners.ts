import { Context, Layer } from "effect"
import type { AddressInfo } from "node:net"
import { canonical, isIpv4, isOfMachine } from "./MachineAddresses.js"

const [anyIpv4, anyIpv6] = [canonical("0.0.0.0"), canonical("::")]

/** Who connects to no address in particular reaches this machine. */
const reached: ReadonlyMap<string, string> = new Map([
  [anyIpv4, canonical("127.0.0.1")],
  [anyIpv6, canonical("::1")],
])

/** Whether who connects to an address comes to who listens at another. */
const isAt = (listening: string, address: string): boolean => {
  const named = canonical(address)
  const wanted = reached.get(named) ?? named
  switch (canonical(listening)) {
    case anyIpv4:
      return isIpv4(wanted) && isOfMachine(wanted)
    case anyIpv6:
      // IPv4 is taken in as well.
      return isOfMachine(wanted)
    default:
      return canonical(listening) === wanted
  }
}

/** Where a proxy listens: a connection to there would lead in a circle. */
export class ListenerAddresses {
  private readonly listeners: Array<AddressInfo> = []

  /** Somebody listens there from now on. */
  add(listener: AddressInfo): void {
    this.listeners.push(listener)
  }

  /** Whether a connection to this IP address and port would be one to the proxy itself. */
  has(address: string, port: number): boolean {
    return this.listeners.some((listener) => listener.port === port && isAt(listener.address, address))
  }
}

/** The listeners of the proxy that a dialer belongs to. Each proxy has its own: two in one process are no loop. */
export class OwnListeners extends Context.Reference<OwnListeners>()("@ss-proxy/OwnListeners", {
  defaultValue: () => new ListenerAddresses(),
}) {
  static readonly layer: Layer.Layer<OwnListeners> = Layer.sync(OwnListeners, () => new ListenerAddresses())
}
