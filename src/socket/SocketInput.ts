import type { OnReadOpts, Socket } from "node:net"

const readSize = 65_536

/** Every socket in the process reads into this one, for what is used up before the next read. */
const shared = Buffer.allocUnsafeSlow(readSize)

/** What is smaller is copied where it must stay: that costs less than to give a slab away for it. */
const largeRead = 16_384

/** Slabs that no socket uses at the moment: they are warm, and cost no allocation. */
const spare: Array<Buffer> = []
const mostSpare = 32

/** Who takes the bytes of a socket. */
export interface ByteReceiver {
  /** A piece was read: to be used before this returns, or made `stable`. */
  received(bytes: Buffer): void
}

/** How the bytes of a socket come in. */
export interface SocketInput {
  /** From here on, `receiver` gets what is read; `undefined`: nobody does. */
  readonly deliverTo: (receiver: ByteReceiver | undefined) => void
  /** The same bytes where the next read does not touch them, as far as they are kept (`keep`). */
  readonly stable: (bytes: Buffer) => Buffer
  /** What `stable` gave is still needed after its receiver has returned. */
  readonly keep: (bytes: Uint8Array) => void
}

/**
 * Reads into memory that is used again. What is small is read into one buffer that all sockets share: nothing is allocated
 * for it, and what is kept of it is copied. While reads are as large as they can be, they go to a slab of the socket's own,
 * which is used again as long as nobody keeps what was in it: so bodies are passed on without a copy, and one of any size
 * needs one slab.
 *
 * Node wants the memory for the next read as soon as the one before is over, and keeps it until bytes come. A read that
 * was not full has emptied the kernel's buffer, and what comes next may be hours away: so it is followed by the shared
 * buffer, and a connection that falls idle holds no slab. A connection that is slower than the proxy pays for that with a
 * copy of what is kept; one that is not has full reads.
 */
export class BufferedInput implements SocketInput {
  private receiver: ByteReceiver | undefined
  private usesSlab = false
  private slab: Buffer | undefined
  /** What the kernel reads to next: node asks for it right after the read before. */
  private current: Buffer = shared

  deliverTo(receiver: ByteReceiver | undefined): void {
    this.receiver = receiver
  }

  stable(bytes: Buffer): Buffer {
    const isShared = bytes.buffer === shared.buffer
    // What is in neither is nobody's to read into.
    if (!isShared && bytes.buffer !== this.slab?.buffer) return bytes
    if (bytes.byteLength < largeRead) return Buffer.from(bytes)
    if (!isShared) return bytes
    this.usesSlab = true
    const slab = this.room()
    return slab.subarray(0, bytes.copy(slab))
  }

  keep(bytes: Uint8Array): void {
    if (bytes.buffer === this.slab?.buffer) this.slab = undefined
  }

  /**
   * Options to open a socket with. They live as long as the socket, and know nobody but this input, so that a connection
   * does not keep alive whoever had it opened.
   */
  get options(): OnReadOpts {
    return {
      buffer: () => {
        this.current = this.usesSlab ? this.room() : shared
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
    if (this.slab !== undefined && spare.length < mostSpare) spare.push(this.slab)
    this.slab = undefined
  }

  private room(): Buffer {
    this.slab ??= spare.pop() ?? Buffer.allocUnsafeSlow(readSize)
    return this.slab
  }
}

/** Reads as node does, which allocates for each read. */
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

/** Says that a socket was opened with the options of `input`. */
export const readsInto = (socket: Socket, input: BufferedInput): void => void inputs.set(socket, input)

/** How the bytes of a socket come in. */
export const inputOf = (socket: Socket): SocketInput => {
  const known = inputs.get(socket)
  if (known !== undefined) return known
  const plain = new PlainInput(socket)
  inputs.set(socket, plain)
  return plain
}
