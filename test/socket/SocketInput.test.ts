import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { BufferedInput } from "../../src/socket/SocketInput.js"

/** Plays node and the kernel: reads bytes to where the input said after the read before, and hands them to `take`. */
class Socket {
  take: (bytes: Buffer) => void = () => {}
  private readonly options
  private room: Uint8Array

  constructor(readonly input: BufferedInput) {
    input.deliverTo({ received: (bytes) => this.take(bytes) })
    this.options = input.options
    this.room = this.next()
  }

  read(bytes: Uint8Array): void {
    this.room.set(bytes)
    this.options.callback(bytes.byteLength, this.room)
    this.room = this.next()
  }

  /** The memory that is held for the next read. */
  get waitingIn(): ArrayBufferLike {
    return this.room.buffer
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
    got = socket.input.stable(read)
    if (keep) socket.input.keep(got)
  }
  socket.read(bytes)
  return got
}

const large = 40_000
/** As much as a read can bring. */
const full = 65_536

describe("BufferedInput", () => {
  it("reads what is small into one buffer for all sockets", () => {
    const seen = [1, 2].map((value) => {
      const socket = new Socket(new BufferedInput())
      let memory: ArrayBufferLike | undefined
      socket.take = (bytes) => {
        memory = bytes.buffer
      }
      socket.read(filled(3, value))
      return memory
    })
    assert.strictEqual(seen[0], seen[1])
  })

  it("reads what is large into one slab for as long as nobody keeps what was in it", () => {
    const socket = new Socket(new BufferedInput())
    const memories = [1, 2, 3].map((value) => stableOf(socket, filled(full, value)).buffer)
    assert.strictEqual(new Set(memories).size, 1)
    const kept = stableOf(socket, filled(full, 4), true)
    assert.notStrictEqual(stableOf(socket, filled(full, 5)).buffer, kept.buffer)
  })

  it("passes on full reads where they were read, without a copy", () => {
    const socket = new Socket(new BufferedInput())
    stableOf(socket, filled(full, 1))
    socket.take = (bytes) => assert.strictEqual(socket.input.stable(bytes), bytes)
    socket.read(filled(full, 2))
    socket.read(filled(large, 3))
  })

  it("leaves its slab to others once a read is not full", () => {
    const memories = [1, large].map((size) => {
      const socket = new Socket(new BufferedInput())
      const { buffer } = stableOf(socket, filled(full, 1))
      socket.take = () => {}
      socket.read(filled(size, 1))
      return buffer
    })
    assert.strictEqual(memories[0], memories[1])
  })

  it("waits for what comes next with the buffer of all sockets, however large the last read was", () => {
    const idle = new Socket(new BufferedInput())
    for (const size of [1, 20_000, large, full - 1]) {
      for (const before of [0, 3]) {
        const socket = new Socket(new BufferedInput())
        for (let read = 0; read < before; read++) stableOf(socket, filled(full, read), read === 1)
        stableOf(socket, filled(size, 1), true)
        assert.isTrue(socket.waitingIn === idle.waitingIn, `after ${before} full reads and ${size} bytes`)
      }
    }
  })

  it("takes what was not read here for stable already, however long it is", () => {
    const { input } = new Socket(new BufferedInput())
    for (const size of [1, large, 200_000]) {
      const bytes = filled(size, 1)
      assert.strictEqual(input.stable(bytes), bytes)
    }
  })

  it("leaves what is kept as it is, whatever is read behind it and elsewhere", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 65_536 }), fc.integer({ min: 1, max: 8 }))
    const read = fc.record({ size, other: fc.boolean() })
    fc.assert(
      fc.property(fc.array(read, { maxLength: 20 }), (reads) => {
        const sockets = [new Socket(new BufferedInput()), new Socket(new BufferedInput())] as const
        const kept = reads.map((one, index) => stableOf(sockets[one.other ? 1 : 0], filled(one.size, index + 1), true))
        for (const [index, bytes] of kept.entries())
          assert.isTrue(bytes.equals(filled(reads[index]?.size ?? 0, index + 1)))
      }),
      { numRuns: 50 },
    )
  })
})
