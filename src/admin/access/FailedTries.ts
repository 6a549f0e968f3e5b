import { isIPv6 } from "node:net"

/** So many tries with a wrong token are answered as such; from the last one on, an address has to wait. */
const mostTries = 10
/** How long a try counts, in milliseconds. */
const countedFor = 60_000
/** So many addresses are remembered; the one that began first is forgotten for another. */
const mostAddresses = 10_000

interface Tries {
  readonly since: number
  count: number
}

/** Whoever has an IPv6 address has all of its /64. */
const netOf = (address: string): string =>
  isIPv6(address) && !address.includes(".") ? address.split(":").slice(0, 4).join(":") : address

/** Counts wrong tokens by the address of who gave them, so that nobody tries very many. */
export class FailedTries {
  private readonly byNet = new Map<string, Tries>()

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** For how many seconds nothing from this address is looked at; 0 where it may try. */
  waitOf(address: string): number {
    const tries = this.triesOf(netOf(address))
    if (tries === undefined || tries.count < mostTries) return 0
    return Math.ceil((tries.since + countedFor - this.now()) / 1_000)
  }

  /** One more has failed. */
  failed(address: string): void {
    const net = netOf(address)
    const tries = this.triesOf(net)
    if (tries !== undefined) return void tries.count++
    const [oldest] = this.byNet.keys()
    if (this.byNet.size >= mostAddresses && oldest !== undefined) this.byNet.delete(oldest)
    this.byNet.set(net, { since: this.now(), count: 1 })
  }

  private triesOf(net: string): Tries | undefined {
    const tries = this.byNet.get(net)
    if (tries === undefined || this.now() - tries.since < countedFor) return tries
    this.byNet.delete(net)
    return undefined
  }
}
