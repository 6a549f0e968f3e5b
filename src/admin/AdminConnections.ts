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
  /** Answers to calls that were let in, and where they go. */
  private readonly calls = new Map<ServerResponse, Socket>()
  private readers = 0

  readonly opened = (socket: Socket): void => {
    this.underWay.set(socket, 0)
    socket.once("close", () => this.underWay.delete(socket))
    if (this.underWay.size > maxConnections) this.oldest?.destroy()
  }

  /** Who has asked for nothing for longest, and waits for no answer to a call that was let in. */
  private get oldest(): Socket | undefined {
    const busy = new Set(this.calls.values())
    for (const socket of this.underWay.keys()) if (!busy.has(socket)) return socket
    return undefined
  }

  /** A call has been let in: until it is answered, its connection is not closed for others. */
  letIn({ socket }: IncomingMessage, response: ServerResponse): void {
    this.calls.set(response, socket)
    response.once("close", () => this.calls.delete(response))
  }

  /** Whether an answer may be a stream of events. If so, it counts as one from now on. */
  admitsReader(response: ServerResponse): boolean {
    if (this.readers >= maxReaders) return false
    this.readers++
    response.once("close", () => this.readers--)
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
