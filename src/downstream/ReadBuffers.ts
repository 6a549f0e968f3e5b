import type { OnReadOpts } from "node:net"

const readSize = 65_536

/** Every connection in the process reads into this one, for what is used up before the next read. */
const shared = Buffer.allocUnsafeSlow(readSize)

/** A slab is replaced once less than this is left of it. */
const leastRoom = 16_384

/**
 * Where a connection's bytes are read to. Heads and small bodies are read into one buffer that all connections share:
 * nothing is allocated for them, and what is kept of them must be copied. While a body is in motion, bytes are read into
 * slabs of the connection's own, so that its chunks can be passed on without a copy.
 */
export class ReadBuffers {
  private receiver: (bytes: Buffer) => void = () => {}
  private mayOwn = false
  private slab: Buffer | undefined
  private offset = 0
  private current: Buffer = shared

  /** Whether what was read last may be kept, and need not be copied. */
  get isOwned(): boolean {
    return this.current !== shared
  }

  /** From the next read on, read into slabs of its own (`true`), or into the shared buffer. */
  own(own: boolean): void {
    this.mayOwn = own
    if (!own) this.slab = undefined
  }

  /** From here on, `receiver` gets each piece that was read. */
  deliverTo(receiver: (bytes: Buffer) => void): void {
    this.receiver = receiver
  }

  /**
   * Options for `net.connect`. They live as long as the socket, and know nobody but these buffers, so that a connection
   * does not keep alive whoever had it opened.
   */
  get options(): OnReadOpts {
    return {
      buffer: () => this.next(),
      callback: (count) => {
        const bytes = this.current.subarray(0, count)
        if (this.isOwned) this.offset += count
        this.receiver(bytes)
        return true
      },
    }
  }

  private next(): Buffer {
    this.current = this.mayOwn ? this.room() : shared
    return this.current
  }

  private room(): Buffer {
    if (this.slab === undefined || this.slab.byteLength - this.offset < leastRoom) {
      this.slab = Buffer.allocUnsafeSlow(readSize)
      this.offset = 0
    }
    return this.slab.subarray(this.offset)
  }
}
