import type { Socket } from "node:net"

/** No more than this is read ahead, in bytes. */
const limit = 65_536

/**
 * Holds what a client sends behind its handshake while the session's server is still being asked. Reading on also is
 * how a client that leaves meanwhile is noticed.
 */
export class EarlyBytes {
  private readonly pieces: Array<Uint8Array> = []
  private size = 0

  constructor(
    private readonly socket: Socket,
    head: Uint8Array,
  ) {
    this.hold(head)
    socket.on("data", this.hold)
    socket.on("end", this.leave)
    socket.resume()
  }

  /** What has arrived; from here on the caller reads the socket, which is paused. */
  take(): Uint8Array {
    this.socket.pause()
    this.socket.removeListener("data", this.hold)
    this.socket.removeListener("end", this.leave)
    return Buffer.concat(this.pieces)
  }

  private readonly hold = (piece: Uint8Array): void => {
    if (piece.byteLength === 0) return
    this.pieces.push(piece)
    this.size += piece.byteLength
    if (this.size > limit) this.socket.pause()
  }

  private readonly leave = (): void => {
    this.socket.destroy()
  }
}
