import type { Socket } from "node:net"
import { ClientLimit, Overloaded } from "../domain/ProxyError.js"
import type { Client } from "../http/Exchange.js"
import type { ClientConnection } from "./ClientConnection.js"

/** How many connections of clients there may be at a time; Infinity for any number. */
export interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerClient: number
}

/** So many refused connections may be open at a time until their clients have read why. */
const mostAnswered = 1_000

/** Counts the connections of clients, in all and for each address. Proxies in front, which are trusted, have no limit each. */
export class ConnectionSlots {
  private taken = 0
  private answered = 0
  private readonly takenBy = new Map<string, number>()

  constructor(private readonly limits: ConnectionLimits) {}

  /** Takes a connection in, or refuses it: with an answer, unless there are too many to be answered. */
  admit(socket: Socket, connection: ClientConnection): void {
    const refusal = this.refusal(connection.client)
    if (refusal === undefined) this.take(socket, connection.client)
    else if (this.mayAnswer(socket)) connection.refuse(refusal)
    else connection.reset()
  }

  /** The error that one more connection of this client would be; `undefined` for none. */
  private refusal({ address, trusted }: Client): ClientLimit | Overloaded | undefined {
    const { maxConnections, maxConnectionsPerClient } = this.limits
    if (this.taken >= maxConnections) return new Overloaded({ limit: maxConnections })
    if (trusted || (this.takenBy.get(address) ?? 0) < maxConnectionsPerClient) return undefined
    return new ClientLimit({ limit: maxConnectionsPerClient })
  }

  /** Counts a connection until it closes. */
  private take(socket: Socket, { address }: Client): void {
    this.count(address, 1)
    socket.on("close", () => this.count(address, -1))
  }

  /** Whether a refused connection can be told why, which takes a while. */
  private mayAnswer(socket: Socket): boolean {
    if (this.answered >= mostAnswered) return false
    this.answered++
    socket.on("close", () => this.answered--)
    return true
  }

  private count(address: string, by: 1 | -1): void {
    this.taken += by
    const left = (this.takenBy.get(address) ?? 0) + by
    if (left === 0) this.takenBy.delete(address)
    else this.takenBy.set(address, left)
  }
}
