import { lookup, type LookupAddress, type LookupOptions } from "node:dns"

/** Whoever asked for the addresses of a name. */
type Answer = (error: NodeJS.ErrnoException | null, addresses: ReadonlyArray<LookupAddress>) => void

/**
 * Looks names up, each once at a time, however many ask for it. Node has few threads for look-ups, and one of a name whose
 * server does not answer takes ten seconds: a few requests for one such session would hold up those for every other name.
 */
export class Lookups {
  private readonly underWay = new Map<string, Array<Answer>>()

  /** All addresses of a name. Whoever asks for it at the same time gets the same, so `options` are to be the same too. */
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
