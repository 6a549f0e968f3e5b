import { Exit } from "effect"
import type { Socket } from "node:net"
import { ClientLimit, Overloaded } from "../domain/ProxyError.js"
import { addressBytes } from "../downstream/AddressGuard.js"
import type { Client } from "../http/ProxyRequest.js"
import { Call, type Fork } from "../step/Call.js"
import type { Full } from "../traffic/PlaceCount.js"
import type { ConnectingClient, SlotsOf, Taken } from "../traffic/Slots.js"
import type { ClientConnection } from "./ClientConnection.js"

/** How many connections of clients there may be at a time. */
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

/** A connection of a client, from when it is taken in or refused. */
interface Connection extends Pick<ClientConnection, "refuse" | "refuseUnanswered"> {
  readonly socket: Socket
}

/** A connection that was accepted, and that nobody reads from, so that it neither ends nor fails by itself. */
interface Accepted {
  readonly open: () => Connection
  /** Ends it unopened. */
  readonly cut: () => void
}

/** One that waits for its place. */
interface Waiting extends Accepted {
  readonly call: Call<Taken>
}

/** Lets connections of clients in, or refuses them. Proxies in front, which are trusted, have no limit each. */
export class ConnectionSlots {
  private answered = 0
  private readonly waiting = new Set<Waiting>()

  constructor(
    private readonly slots: SlotsOf<ConnectingClient>,
    private readonly limits: ConnectionLimits,
    private readonly fork: Fork,
  ) {}

  /** Opens a connection that was accepted, as soon as it is known whether there is a place for it. Until then it is not read. */
  admit({ address, trusted }: Pick<Client, "address" | "trusted">, accepted: Accepted): void {
    const taking = this.slots.take({ client: clientOf(address), isTrusted: trusted })
    if (!(taking instanceof Call)) return this.decide(accepted.open(), taking)
    const one = { ...accepted, call: taking }
    this.waiting.add(one)
    const settled = (exit: Exit.Exit<Taken>): void => {
      if (this.waiting.delete(one)) this.decide(accepted.open(), exit)
    }
    taking.start({ settled }, this.fork)
  }

  /** The proxy accepts no more: connections that still wait are taken in, for their clients to be served. */
  letIn(): void {
    for (const { open } of this.withdraw()) open()
  }

  /** Ends connections that still wait. */
  cut(): void {
    for (const { cut } of this.withdraw()) cut()
  }

  /** Wants no more places for those that wait. */
  private withdraw(): ReadonlyArray<Waiting> {
    const waiting = Array.from(this.waiting)
    this.waiting.clear()
    for (const { call } of waiting) call.cancel()
    return waiting
  }

  /** Keeps the place until the connection closes, or says why there is none, unless there are too many to be answered. */
  private decide(connection: Connection, taking: Exit.Exit<Taken>): void {
    const { socket } = connection
    // What went wrong with counting is no reason to turn a client away.
    if (Exit.isFailure(taking)) return
    const taken = taking.value
    if (typeof taken === "function") return void socket.on("close", taken)
    const refusal = this.refusal(taken)
    if (this.mayAnswer(socket)) connection.refuse(refusal)
    else connection.refuseUnanswered(refusal)
  }

  private refusal(full: Full): ClientLimit | Overloaded {
    const { maxConnections, maxConnectionsPerClient } = this.limits
    return full === "all"
      ? new Overloaded({ limit: maxConnections })
      : new ClientLimit({ limit: maxConnectionsPerClient })
  }

  /** Whether a refused connection can be told why, which takes a while. */
  private mayAnswer(socket: Socket): boolean {
    if (this.answered >= mostAnswered) return false
    this.answered++
    socket.on("close", () => this.answered--)
    return true
  }
}
