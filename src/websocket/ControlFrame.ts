import { randomFillSync } from "node:crypto"

const maxPayload = 125
const maxReason = maxPayload - 2
const keySize = 4

/** Keys for frames to servers, from the operating system's generator (RFC 6455 section 5.3), many at a time. */
const keys = Buffer.allocUnsafeSlow(1_024 * keySize)
let usedKeys = keys.byteLength

const nextKey = (): Buffer => {
  if (usedKeys === keys.byteLength) {
    randomFillSync(keys)
    usedKeys = 0
  }
  usedKeys += keySize
  return keys.subarray(usedKeys - keySize, usedKeys)
}

const controlFrame = (firstByte: number, payload: Uint8Array, masked: boolean): Buffer => {
  const start = masked ? 2 + keySize : 2
  const frame = Buffer.allocUnsafe(start + payload.length)
  frame[0] = firstByte
  frame[1] = masked ? 0x80 | payload.length : payload.length
  frame.set(payload, start)
  if (!masked) return frame
  const key = nextKey()
  frame.set(key, 2)
  for (let index = 0; index < payload.length; index++)
    frame[start + index] = (payload[index] ?? 0) ^ (key[index & 3] ?? 0)
  return frame
}

const utf8 = new TextEncoder()

/** A code, and as much of a reason as fits behind it, cut between two characters. */
const closePayload = (code: number, reason: string): Uint8Array => {
  const payload = new Uint8Array(2 + maxReason)
  payload[0] = code >>> 8
  payload[1] = code & 0xff
  return payload.subarray(0, 2 + utf8.encodeInto(reason, payload.subarray(2)).written)
}

/**
 * A close frame (RFC 6455 section 5.5.1). `code` is one that may stand on the wire (section 7.4); `reason` is cut after
 * 123 bytes of UTF-8. `masked`: for a frame that goes to a server; its key is a fresh random one.
 */
export const closeFrame = (code: number, reason: string, masked: boolean): Buffer =>
  controlFrame(0x88, closePayload(code, reason), masked)

/**
 * A ping frame (RFC 6455 section 5.5.2); its payload comes back in the pong. `masked`: for a frame to a server.
 * Throws a RangeError where the payload has more than 125 bytes.
 */
export const pingFrame = (payload: Uint8Array, masked: boolean): Buffer => {
  if (payload.length > maxPayload) throw new RangeError(`A ping carries at most ${maxPayload} bytes`)
  return controlFrame(0x89, payload, masked)
}

/** A pong frame (RFC 6455 section 5.5.3) that answers a ping with this payload, of 125 bytes at most. */
export const pongFrame = (payload: Uint8Array, masked: boolean): Buffer => controlFrame(0x8a, payload, masked)
