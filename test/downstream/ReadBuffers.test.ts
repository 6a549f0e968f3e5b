import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { ReadBuffers } from "../../src/downstream/ReadBuffers.js"

/** Plays node and the kernel: reads bytes to where the buffers said after the read before, and hands them to `take`. */
class Socket {
  take: (bytes: Buffer) => void = () => {}
  private readonly options
  private room: Uint8Array

  constructor(readonly buffers: ReadBuffers) {
    buffers.deliverTo((bytes) => this.take(bytes))
    this.options = buffers.options
    this.room = this.next()
  }

  read(bytes: Uint8Array): void {
    this.room.set(bytes)
    this.options.callback(bytes.byteLength, this.room)
    this.room = this.next()
  }

  private next(): Uint8Array {
    const { buffer } = this.options
    return typeof buffer === "function" ? buffer() : buffer
  }
}

const filled = (size: number, value: number) => Buffer.alloc(size, value)

/** Reads bytes, and gives where they are stable. */
const stableOf = (socket: Socket, bytes: Uint8Array, keep = false): Buffer => {
  let got: Buffer = Buffer.alloc(0)
  socket.take = (read) => {
    got = socket.buffers.stable(read)
    if (keep) socket.buffers.keep(got)
  }
  socket.read(bytes)
  return got
}

const large = 40_000

describe("ReadBuffers", () => {
  it("read into one buffer for all connections while nothing large is in motion", () => {
    const seen = [1, 2].map((value) => {
      const socket = new Socket(new ReadBuffers())
      let memory: ArrayBufferLike | undefined
      socket.take = (bytes) => {
        memory = bytes.buffer
      }
      socket.read(filled(3, value))
      return memory
    })
    assert.strictEqual(seen[0], seen[1])
  })

  it("read a large body into one slab for as long as nobody keeps what was in it", () => {
    const socket = new Socket(new ReadBuffers())
    socket.buffers.move(true)
    const memories = [1, 2, 3].map((value) => stableOf(socket, filled(large, value)).buffer)
    assert.strictEqual(new Set(memories).size, 1)
    const kept = stableOf(socket, filled(large, 4), true)
    assert.notStrictEqual(stableOf(socket, filled(large, 5)).buffer, kept.buffer)
  })

  it("use the slab of a body that is over for another one", () => {
    const memories = [1, 2].map(() => {
      const socket = new Socket(new ReadBuffers())
      socket.buffers.move(true)
      const { buffer } = stableOf(socket, filled(large, 1))
      socket.take = () => socket.buffers.move(false)
      socket.read(filled(1, 1))
      return buffer
    })
    assert.strictEqual(memories[0], memories[1])
  })

  it("leave what is kept as it is, whatever is read behind it and elsewhere", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 65_536 }), fc.integer({ min: 1, max: 8 }))
    const read = fc.record({ size, moving: fc.boolean(), other: fc.boolean() })
    fc.assert(
      fc.property(fc.array(read, { maxLength: 20 }), (reads) => {
        const sockets = [new Socket(new ReadBuffers()), new Socket(new ReadBuffers())] as const
        const kept = reads.map((one, index) => {
          const socket = sockets[one.other ? 1 : 0]
          socket.buffers.move(one.moving)
          return stableOf(socket, filled(one.size, index + 1), true)
        })
        for (const [index, bytes] of kept.entries())
          assert.isTrue(bytes.equals(filled(reads[index]?.size ?? 0, index + 1)))
      }),
      { numRuns: 50 },
    )
  })
})
