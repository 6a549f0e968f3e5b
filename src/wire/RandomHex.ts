import { randomFillSync } from "node:crypto"

const pool = Buffer.allocUnsafeSlow(8_192)
let filled = pool.byteLength

/** So many bytes become text at once. Whoever keeps a piece of the text keeps all of it, so it is short. */
const batch = 128
let digits = ""
let used = 0

const nextBatch = (): void => {
  if (filled === pool.byteLength) {
    randomFillSync(pool)
    filled = 0
  }
  digits = pool.toString("hex", filled, filled + batch)
  used = 0
  filled += batch
}

/** Random bytes from the operating system's generator, as hexadecimal digits. `bytes`: at most 128. */
export const randomHex = (bytes: number): string => {
  if (used + 2 * bytes > digits.length) nextBatch()
  used += 2 * bytes
  return digits.slice(used - 2 * bytes, used)
}
