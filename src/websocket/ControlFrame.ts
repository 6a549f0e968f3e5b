import { randomBytes } from "node:crypto"

const maxPayload = 125
const maxReason = maxPayload - 2

const controlFrame = (firstByte: number, payload: Uint8Array, masked: boolean): Buffer => {
  if (!masked) return Buffer.concat([Uint8Array.of(firstByte, payload.length), payload])
  const key = randomBytes(4)
  const frame = Buffer.concat([Uint8Array.of(firstByte, 0x80 | payload.length), key, payload])
  for (let index = 0; index < payload.length; index++) {
    const at = 6 + index
    frame.writeUInt8(frame.readUInt8(at) ^ key.readUInt8(index & 3), at)
  }
  return frame
}

/** As much of `reason` as fits into a close frame, cut between two characters. */
const fittingReason = (reason: string): Uint8Array => {
  const bytes = new Uint8Array(maxReason)
  return bytes.subarray(0, new TextEncoder().encodeInto(reason, bytes).written)
}

/**
 * A close frame (RFC 6455 section 5.5.1). `code` is one that may stand on the wire (section 7.4); `reason` is cut after
 * 123 bytes of UTF-8. `masked`: for a frame that goes to a server; its key is a fresh random one.
 */
export const closeFrame = (code: number, reason: string, masked: boolean): Buffer =>
  controlFrame(0x88, Buffer.concat([Uint8Array.of(code >>> 8, code & 0xff), fittingReason(reason)]), masked)

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
