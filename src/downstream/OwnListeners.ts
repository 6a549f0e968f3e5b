import { Context, Layer } from "effect"
import type { AddressInfo } from "node:net"
import type { SessionHosts } from "../wire/SessionHosts.js"
import { canonical, isIpv4, isOfMachine } from "./MachineAddresses.js"

const [anyIpv4, anyIpv6] = [canonical("0.0.0.0"), canonical("::")]

/** A connection to the unspecified address goes to the loopback address. */
const loopbackOf: ReadonlyMap<string, string> = new Map([
  [anyIpv4, canonical("127.0.0.1")],
  [anyIpv6, canonical("::1")],
])

/** Whether a connection to `address` reaches a listener that is bound to `listening`. */
const reaches = (listening: string, address: string): boolean => {
  const named = canonical(address)
  const wanted = loopbackOf.get(named) ?? named
  switch (canonical(listening)) {
    case anyIpv4:
      return isIpv4(wanted) && isOfMachine(wanted)
    case anyIpv6:
      // A listener on `::` accepts IPv4 as well.
      return isOfMachine(wanted)
    default:
      return canonical(listening) === wanted
  }
}

/** The addresses on which a proxy listens. A request that it forwards to one of them would be a loop. */
export class ListenerAddresses {
  private readonly listeners: Array<AddressInfo> = []
  private hosts: SessionHosts | undefined

  /** Those that were added. */
  get all(): ReadonlyArray<AddressInfo> {
    return this.listeners
  }

  /** Adds a listener. */
  add(listener: AddressInfo): void {
    this.listeners.push(listener)
  }

  /** Below these names, everything at the port of a listener is the proxy, whatever the names lead to just now. */
  addNames(hosts: SessionHosts | undefined): void {
    this.hosts = hosts
  }

  /** Whether this name and port are a session's of this proxy. */
  hasName(name: string, port: number): boolean {
    if (this.hosts === undefined || this.hosts.below(name) === undefined) return false
    return this.listeners.some((listener) => listener.port === port)
  }

  /** Whether a connection to this IP address and port would reach the proxy itself. */
  has(address: string, port: number): boolean {
    return this.listeners.some((listener) => listener.port === port && reaches(listener.address, address))
  }
}

/** The listeners of one proxy. Two proxies in one process have two: a request from one to the other is not a loop. */
export class OwnListeners extends Context.Reference<OwnListeners>()("@ss-proxy/OwnListeners", {
  defaultValue: () => new ListenerAddresses(),
}) {
  static readonly layer: Layer.Layer<OwnListeners> = Layer.sync(OwnListeners, () => new ListenerAddresses())
}
