import { randomBytes } from "node:crypto"

/** Its length is prime, so that pieces of a body never begin where they begin in the stretch. */
const stretch = randomBytes(65_521)

/** A body of so many bytes, made on the fly: the same random stretch again and again. */
export function* longBody(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= stretch.length) yield stretch.subarray(0, left)
}

/** What has arrived of a long body. Keeps none of it. */
export class Arrived {
  bytes = 0
  /** Whether every byte was the right one. */
  isIntact = true

  /** Takes the next piece, of any length. */
  readonly take = (piece: Uint8Array): void => {
    for (let at = 0; at < piece.length;) {
      const from = this.bytes % stretch.length
      const length = Math.min(piece.length - at, stretch.length - from)
      this.isIntact &&= stretch.subarray(from, from + length).equals(piece.subarray(at, at + length))
      at += length
      this.bytes += length
    }
  }
}
