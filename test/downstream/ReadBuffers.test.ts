import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { ReadBuffers } from "../../src/downstream/ReadBuffers.js"

/** Plays the kernel: reads these bytes into where the buffers say, and gives what is handed on. */
const reading = (buffers: ReadBuffers) => {
  let got: Buffer | undefined
  buffers.deliverTo((bytes) => {
    got = bytes
  })
  const { buffer, callback } = buffers.options
  return (bytes: Uint8Array): Buffer => {
    const room = typeof buffer === "function" ? buffer() : buffer
    room.set(bytes)
    callback(bytes.byteLength, room)
    return got ?? assert.fail("nothing was handed on")
  }
}

const filled = (size: number, value: number) => Buffer.alloc(size, value)

describe("ReadBuffers", () => {
  it("read into one buffer for all connections, until a body is in motion", () => {
    const [one, other] = [new ReadBuffers(), new ReadBuffers()]
    const first = reading(one)(filled(3, 1))
    const second = reading(other)(filled(3, 2))
    assert.isFalse(one.isOwned)
    assert.strictEqual(first.buffer, second.buffer)
    one.own(true)
    const third = reading(one)(filled(3, 3))
    assert.isTrue(one.isOwned)
    assert.notStrictEqual(third.buffer, first.buffer)
    one.own(false)
    assert.strictEqual(reading(one)(filled(3, 4)).buffer, first.buffer)
  })

  it("leave what was read while a body is in motion as it is, whatever is read behind it", () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 16_384 }), fc.integer({ min: 1, max: 8 }))
    fc.assert(
      fc.property(fc.array(size, { maxLength: 30 }), (sizes) => {
        const [buffers, other] = [new ReadBuffers(), new ReadBuffers()]
        buffers.own(true)
        other.own(true)
        const read = reading(buffers)
        const kept = sizes.map((length, index) => {
          reading(other)(filled(length, 255))
          return read(filled(length, index + 1))
        })
        for (const [index, bytes] of kept.entries()) assert.isTrue(bytes.equals(filled(sizes[index] ?? 0, index + 1)))
      }),
      { numRuns: 50 },
    )
  })

  it("always offer room for a good part of what may be there", () => {
    const buffers = new ReadBuffers()
    buffers.own(true)
    const { buffer, callback } = buffers.options
    for (let round = 0; round < 50; round++) {
      const room = typeof buffer === "function" ? buffer() : buffer
      assert.isAtLeast(room.byteLength, 16_384)
      callback(Math.min(room.byteLength, 7_000), room)
    }
  })
})
