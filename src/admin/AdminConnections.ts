import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** Connections at a time; for one more, that is closed which has asked for nothing for longest. */
export const maxConnections = 64
/** Streams of events at a time. */
const maxReaders = 32
/** Requests of a connection at a time. Each holds a whole answer until it is taken; who sends more without a wait is cut. */
const maxPipelined = 4

/** Connections in the order of their last requests, so that those who only hold theirs open keep nobody out. */
export class AdminConnections {
  /** And how many requests are under way on each. */
  private readonly underWay = new Map<Socket, number>()
  /** Answers that are streams of events, and where they go. */
  private readonly readers = new Map<ServerResponse, Socket>()

  readonly opened = (socket: Socket): void => {
    this.underWay.set(socket, 0)
    socket.once("close", () => this.underWay.delete(socket))
    if (this.underWay.size > maxConnections) this.oldest?.destroy()
  }

  /** Who has asked for nothing for longest, and takes no stream of events. */
  private get oldest(): Socket | undefined {
    const reading = new Set(this.readers.values())
    for (const socket of this.underWay.keys()) if (!reading.has(socket)) return socket
    return undefined
  }

  /** Whether an answer may be a stream of events. If so, it counts as one from now on, and its connection is not closed for others. */
  admitsReader({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (this.readers.size >= maxReaders) return false
    this.readers.set(response, socket)
    response.once("close", () => this.readers.delete(response))
    return true
  }

  /** Whether one more request may come. Node makes requests of all that has arrived before anything is answered. */
  admits({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const underWay = this.underWay.get(socket) ?? maxPipelined
    if (underWay >= maxPipelined) socket.destroy()
    if (socket.destroyed) return false
    this.underWay.delete(socket)
    this.underWay.set(socket, underWay + 1)
    response.once("close", () => this.answered(socket))
    return true
  }

  private answered(socket: Socket): void {
    const underWay = this.underWay.get(socket)
    if (underWay !== undefined) this.underWay.set(socket, underWay - 1)
  }
}
