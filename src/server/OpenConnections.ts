import { Effect } from "effect"
import type { ClientConnection } from "./ClientConnection.js"

/** What is open at a moment, for people. */
export interface Census {
  /** Connections with a request that is under way, be it a part of its head. */
  readonly requests: number
  readonly webSockets: number
  /** Connections without a request. */
  readonly idle: number
}

/** Between two idle connections that are closed, and between the first and the last of them, in milliseconds. */
const closeSpacing = 0.1
const longestSpread = 1_000

/** The connections of clients that are open. */
export class OpenConnections {
  private readonly all = new Set<ClientConnection>()
  private readonly emptied = Effect.unsafeMakeLatch(false)

  add(connection: ClientConnection): void {
    this.all.add(connection)
  }

  /** It has ended, and everything on it. */
  delete(connection: ClientConnection): void {
    this.all.delete(connection)
    // "Unsafe" means that it is no Effect: connections come and go by plain calls.
    if (this.all.size === 0) this.emptied.unsafeOpen()
  }

  /** Counts what is open now, but for connections that are closed already and wait for their clients to do the same. */
  census(): Census {
    const count = { request: 0, webSocket: 0, idle: 0, closing: 0 }
    for (const { use } of this.all) count[use]++
    return { requests: count.request, webSockets: count.webSocket, idle: count.idle }
  }

  /**
   * The proxy closes connections from now on; see `ClientConnection.offerChance`. Times are by `performance.now()`. Those that
   * stay idle are closed one after another, for to close thousands takes long, and others are served meanwhile.
   */
  offerChance(now: number, until: number): void {
    const spacing = Math.min(closeSpacing, longestSpread / this.all.size)
    let begin = now
    for (const connection of this.all) {
      connection.offerChance(begin, until)
      begin += spacing
    }
  }

  /** The addresses of clients that have sent a part of the head of a request, and nothing else that is under way. */
  unfinishedHeads(): ReadonlyArray<string> {
    const addresses: Array<string> = []
    for (const connection of this.all) if (connection.isInHead) addresses.push(connection.client.address)
    return addresses
  }

  /** Ends every connection now. */
  cut(): void {
    for (const connection of this.all) connection.cut()
  }

  /** Completes once none is open, where no new one comes. */
  readonly none: Effect.Effect<void> = Effect.suspend(() => {
    if (this.all.size === 0) return Effect.void
    this.emptied.unsafeClose()
    return this.emptied.await
  })
}
