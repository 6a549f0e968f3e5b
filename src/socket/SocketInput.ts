import type { OnReadOpts, Socket } from "node:net"

const readSize = 65_536

/** All sockets of the process read into this buffer. Its bytes are valid until the next read. */
const shared = Buffer.allocUnsafeSlow(readSize)

/** A smaller read that must outlive the next one is copied, because a copy costs less than a new slab. */
const largeRead = 16_384

/** Slabs that no socket uses now. They need no allocation, and are warm in the cache. */
const spareSlabs: Array<Buffer> = []
const maxSpareSlabs = 32

/** Receives the bytes that a socket reads. */
export interface ByteReceiver {
  /** Bytes were read. They are valid until this returns, unless they are made `stable`. */
  received(bytes: Buffer): void
}

/** The read side of a socket. */
export interface SocketInput {
  /** From now on `receiver` gets all bytes that are read; with `undefined` they are dropped. */
  readonly deliverTo: (receiver: ByteReceiver | undefined) => void
  /**
   * Returns the same bytes in memory that the next read does not overwrite, provided that `keep` is called for them.
   */
  readonly stable: (bytes: Buffer) => Buffer
  /** Bytes from `stable` are needed after the receiver has returned. */
  readonly keep: (bytes: Uint8Array) => void
}

/**
 * Reads into memory that is reused. Small reads go to one buffer that all sockets share: they need no allocation, and
 * bytes that are kept are copied. While reads are full, they go to a slab of the socket's own, which is reused unless
 * bytes in it are kept. So a body is passed on without a copy, and one slab serves a body of any size.
 *
 * Node asks for the next read buffer right after a read, and holds it until bytes come. A read that was not full has
 * emptied the kernel's buffer, and the next bytes may be hours away. So the shared buffer follows such a read, and an
 * idle connection holds no slab. The price is a copy of kept bytes on connections that are slower than the proxy.
 */
export class BufferedInput implements SocketInput {
  private receiver: ByteReceiver | undefined
  private usesSlab = false
  private slab: Buffer | undefined
  /** The buffer that node holds for the next read. */
  private current: Buffer = shared

  deliverTo(receiver: ByteReceiver | undefined): void {
    this.receiver = receiver
  }

  stable(bytes: Buffer): Buffer {
    const isShared = bytes.buffer === shared.buffer
    // No read writes into any other memory.
    if (!isShared && bytes.buffer !== this.slab?.buffer) return bytes
    if (bytes.byteLength < largeRead) return Buffer.from(bytes)
    if (!isShared) return bytes
    this.usesSlab = true
    const slab = this.ownSlab()
    return slab.subarray(0, bytes.copy(slab))
  }

  keep(bytes: Uint8Array): void {
    if (bytes.buffer === this.slab?.buffer) this.slab = undefined
  }

  /**
   * Options to open a socket with. They live as long as the socket, and refer to this input only, so that an open
   * connection does not keep the object that opened it in memory.
   */
  get options(): OnReadOpts {
    return {
      buffer: () => {
        this.current = this.usesSlab ? this.ownSlab() : shared
        return this.current
      },
      callback: (count) => {
        this.receiver?.received(this.current.subarray(0, count))
        if (count < readSize) this.leaveSlab()
        return true
      },
    }
  }

  private leaveSlab(): void {
    this.usesSlab = false
    if (this.slab !== undefined && spareSlabs.length < maxSpareSlabs) spareSlabs.push(this.slab)
    this.slab = undefined
  }

  private ownSlab(): Buffer {
    this.slab ??= spareSlabs.pop() ?? Buffer.allocUnsafeSlow(readSize)
    return this.slab
  }
}

/** Node's own reads, which allocate a buffer each. */
class PlainInput implements SocketInput {
  private receiver: ByteReceiver | undefined
  private readonly received = (bytes: Buffer): void => this.receiver?.received(bytes)

  constructor(private readonly socket: Socket) {}

  deliverTo(receiver: ByteReceiver | undefined): void {
    this.socket.removeListener("data", this.received)
    this.receiver = receiver
    if (receiver !== undefined) this.socket.on("data", this.received)
  }

  stable(bytes: Buffer): Buffer {
    return bytes
  }

  keep(): void {}
}

const inputs = new WeakMap<Socket, SocketInput>()

/** Records that `socket` was opened with the options of `input`. */
export const readsInto = (socket: Socket, input: BufferedInput): void => void inputs.set(socket, input)

/** The read side of `socket`: what `readsInto` recorded, else Node's own reads. */
export const inputOf = (socket: Socket): SocketInput => {
  const known = inputs.get(socket)
  if (known !== undefined) return known
  const plain = new PlainInput(socket)
  inputs.set(socket, plain)
  return plain
}
