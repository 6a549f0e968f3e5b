import type { OnReadOpts } from "node:net"

const readSize = 65_536

/** Every connection in the process reads into this one, for what is used up before the next read. */
const shared = Buffer.allocUnsafeSlow(readSize)

/** What is smaller is copied where it must stay: that costs less than to give a slab away for it. */
const largeRead = 16_384

/** Slabs that no connection uses at the moment: they are warm, and cost no allocation. */
const spare: Array<Buffer> = []
const mostSpare = 32

/**
 * Where a connection's bytes are read to. Heads and small bodies are read into one buffer that all connections share:
 * nothing is allocated for them, and what is kept of them is copied. While a large body is in motion, bytes are read into
 * a slab of the connection's own, which is used again as long as nobody keeps what was in it: so chunks are passed on
 * without a copy, and a body of any size needs one slab.
 */
export class ReadBuffers {
  private receiver: (bytes: Buffer) => void = () => {}
  private isMoving = false
  private usesSlab = false
  private slab: Buffer | undefined
  /** What the kernel reads to next: node asks for it right after the read before. */
  private current: Buffer = shared
  private isDelivering = false

  /** From here on, `receiver` gets each piece that was read. */
  deliverTo(receiver: (bytes: Buffer) => void): void {
    this.receiver = receiver
  }

  /** Whether a body is in motion, for which a slab may be taken. */
  move(isMoving: boolean): void {
    this.isMoving = isMoving
    if (isMoving) return
    // Outside of a delivery, the kernel may still be about to read into it.
    if (this.slab !== undefined && this.isDelivering && spare.length < mostSpare) spare.push(this.slab)
    this.slab = undefined
    this.usesSlab = false
  }

  /** The same bytes where the next read does not touch them, as far as they are kept (`keep`). */
  stable(bytes: Buffer): Buffer {
    if (bytes.byteLength < largeRead || !this.isMoving) return Buffer.from(bytes)
    if (this.current !== shared) return bytes
    this.usesSlab = true
    const slab = this.room()
    return slab.subarray(0, bytes.copy(slab))
  }

  /** These bytes are still needed: the next read goes elsewhere. */
  keep(bytes: Uint8Array): void {
    if (bytes.buffer === this.slab?.buffer) this.slab = undefined
  }

  /**
   * Options for `net.connect`. They live as long as the socket, and know nobody but these buffers, so that a connection
   * does not keep alive whoever had it opened.
   */
  get options(): OnReadOpts {
    return {
      buffer: () => {
        this.current = this.usesSlab ? this.room() : shared
        return this.current
      },
      callback: (count) => {
        this.isDelivering = true
        this.receiver(this.current.subarray(0, count))
        this.isDelivering = false
        return true
      },
    }
  }

  private room(): Buffer {
    this.slab ??= spare.pop() ?? Buffer.allocUnsafeSlow(readSize)
    return this.slab
  }
}
