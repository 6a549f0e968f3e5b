import type { Socket } from "node:net"
import { ClientLimit, Overloaded } from "../domain/ProxyError.js"
import { addressBytes } from "../downstream/AddressGuard.js"
import type { Client } from "../http/ProxyRequest.js"
import type { ClientConnection } from "./ClientConnection.js"

/** How many connections of clients there may be at a time; Infinity for any number. */
export interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerClient: number
}

/** So many refused connections may be open at a time until their clients have read why. */
const mostAnswered = 1_000

/** So many bytes of an IPv6 address are its network's (RFC 4291 section 2.5.4): whoever has one has all others of it. */
const networkBytes = 8

/**
 * What counts as one client: an IPv4 address, or the /64 of an IPv6 address. Not where many share a /64: a link, whose
 * addresses nobody routes to, and the IPv4 addresses behind a translator (RFC 6052).
 */
export const clientOf = (address: string): string => {
  const bytes = addressBytes(address)
  if (bytes === undefined || /^(?:fe[89ab].:|64:ff9b:)/.test(address)) return address
  return bytes.slice(0, networkBytes).join(".")
}

/** Counts the connections of clients, in all and for each client. Proxies in front, which are trusted, have no limit each. */
export class ConnectionSlots {
  private taken = 0
  private answered = 0
  private readonly takenBy = new Map<string, number>()

  constructor(private readonly limits: ConnectionLimits) {}

  /** Takes a connection in, or refuses it: with an answer, unless there are too many to be answered. */
  admit(socket: Socket, connection: Pick<ClientConnection, "client" | "refuse" | "refuseUnanswered">): void {
    const refusal = this.refusal(connection.client)
    if (refusal === undefined) this.take(socket, connection.client)
    else if (this.mayAnswer(socket)) connection.refuse(refusal)
    else connection.refuseUnanswered(refusal)
  }

  /** The error that one more connection of this client would be; `undefined` for none. */
  private refusal({ address, trusted }: Client): ClientLimit | Overloaded | undefined {
    const { maxConnections, maxConnectionsPerClient } = this.limits
    if (this.taken >= maxConnections) return new Overloaded({ limit: maxConnections })
    if (trusted || (this.takenBy.get(clientOf(address)) ?? 0) < maxConnectionsPerClient) return undefined
    return new ClientLimit({ limit: maxConnectionsPerClient })
  }

  /** Counts a connection until it closes. */
  private take(socket: Socket, { address }: Client): void {
    const client = clientOf(address)
    this.count(client, 1)
    socket.on("close", () => this.count(client, -1))
  }

  /** Whether a refused connection can be told why, which takes a while. */
  private mayAnswer(socket: Socket): boolean {
    if (this.answered >= mostAnswered) return false
    this.answered++
    socket.on("close", () => this.answered--)
    return true
  }

  private count(client: string, by: 1 | -1): void {
    this.taken += by
    const left = (this.takenBy.get(client) ?? 0) + by
    if (left === 0) this.takenBy.delete(client)
    else this.takenBy.set(client, left)
  }
}
