import { randomFillSync } from "node:crypto"

const pool = Buffer.allocUnsafeSlow(8_192)
let used = pool.byteLength

/** Random bytes from the operating system's generator, as hexadecimal digits. `bytes`: at most 8 KiB. */
export const randomHex = (bytes: number): string => {
  if (used + bytes > pool.byteLength) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  return pool.toString("hex", used - bytes, used)
}
