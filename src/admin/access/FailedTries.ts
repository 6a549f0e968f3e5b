import { clientOf } from "../../server/ConnectionSlots.js"

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

/** Counts wrong tokens by the address of who gave them, so that nobody tries very many. */
export class FailedTries {
  private readonly byClient = new Map<string, Tries>()

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** For how many seconds nothing from this address is looked at; 0 where it may try. */
  waitOf(address: string): number {
    const tries = this.triesOf(clientOf(address))
    if (tries === undefined || tries.count < mostTries) return 0
    return Math.ceil((tries.since + countedFor - this.now()) / 1_000)
  }

  /** One more has failed. */
  failed(address: string): void {
    const client = clientOf(address)
    const tries = this.triesOf(client)
    if (tries !== undefined) return void tries.count++
    const [oldest] = this.byClient.keys()
    if (this.byClient.size >= mostAddresses && oldest !== undefined) this.byClient.delete(oldest)
    this.byClient.set(client, { since: this.now(), count: 1 })
  }

  private triesOf(client: string): Tries | undefined {
    const tries = this.byClient.get(client)
    if (tries === undefined || this.now() - tries.since < countedFor) return tries
    this.byClient.delete(client)
    return undefined
  }
}
