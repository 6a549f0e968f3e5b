import { lookup, type LookupAddress, type LookupOptions } from "node:dns"

/** Receives the addresses of a name. */
type Answer = (error: NodeJS.ErrnoException | null, addresses: ReadonlyArray<LookupAddress>) => void

/**
 * Looks up names, with one look-up at a time for each name, which all callers share. Node has few threads for look-ups,
 * and a look-up whose name server does not answer takes ten seconds. A few requests for one such name would block all
 * others.
 */
export class Lookups {
  private readonly underWay = new Map<string, Array<Answer>>()

  /** All addresses of a name. Concurrent callers share one result, so they must pass the same `options`. */
  find(hostname: string, options: LookupOptions, answer: Answer): void {
    const waiting = this.underWay.get(hostname)
    if (waiting !== undefined) return void waiting.push(answer)
    const answers = [answer]
    this.underWay.set(hostname, answers)
    lookup(hostname, { ...options, all: true }, (error, found) => {
      this.underWay.delete(hostname)
      for (const tell of answers) tell(error, found)
    })
  }
}
