// Content that servers and clients both know, so that every byte is compared and not only a checksum.
import { makeRandom } from "./Random.mjs"

const size = 4 * 1_048_576

const makeContent = () => {
  const random = makeRandom(1)
  const words = new Uint32Array(size / 4)
  for (let index = 0; index < words.length; index++) words[index] = random.below(4_294_967_296)
  return Buffer.from(words.buffer)
}
const content = makeContent()

/** The largest piece. */
export const longest = size / 2

/** The piece of the content from an offset on. */
export const piece = (offset, length) => content.subarray(offset, offset + length)

/** Any piece: its offset and length. */
export const somePiece = (random, most = longest) => {
  // As many small ones as large ones: sizes are spread over their logarithm.
  const length = Math.floor(2 ** (random.below(Math.log2(most) * 1_000) / 1_000))
  return { offset: random.below(size - length), length }
}

/** Compares what arrives with what was sent. */
export class Comparison {
  constructor(offset, length) {
    this.expected = piece(offset, length)
    this.length = 0
    this.isIntact = true
  }

  take(data) {
    const end = this.length + data.length
    if (!data.equals(this.expected.subarray(this.length, end))) this.isIntact = false
    this.length = end
  }

  /** What is wrong, now that nothing more comes; `undefined`: nothing. */
  get problem() {
    if (!this.isIntact) return "altered"
    return this.length < this.expected.length ? "short" : undefined
  }
}

/** Waits until a stream takes more, or is over. */
export const drained = (stream) =>
  new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done).off("close", done)
      resolve()
    }
    stream.on("drain", done).on("close", done)
  })
