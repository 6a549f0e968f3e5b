import { randomBytes } from "node:crypto"

/** By its beginning the answer to a ping of ours is told from those that the other end waits for; a number follows. */
const ownBeginning = randomBytes(4)

const ownPayload = (number: number): Buffer => {
  const payload = Buffer.alloc(8)
  ownBeginning.copy(payload)
  payload.writeUInt32BE(number >>> 0, 4)
  return payload
}

/** Which ping of ours had this payload; 0 for none. */
const numberIn = (payload: Uint8Array): number => {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  return bytes.length === 8 && bytes.subarray(0, 4).equals(ownBeginning) ? bytes.readUInt32BE(4) : 0
}

/**
 * What one side of a WebSocket has to answer: pings of ours, and the latest of its peer. A pong answers every ping before
 * it (RFC 6455 section 5.5.3), so that a side which answers ours has answered those of its peer that came to it before.
 */
export class ExpectedPongs {
  private asked = 0
  private answered = 0
  private peerPing: Uint8Array | undefined
  /** How many pings of ours were sent before that of the peer. */
  private askedBefore = 0

  /** Whether a ping of ours is not answered. */
  get areExpected(): boolean {
    return this.answered < this.asked
  }

  /** Payload of the next ping of ours to this side. */
  get nextPing(): Uint8Array {
    return ownPayload(this.asked + 1)
  }

  /** That ping is on its way. */
  expect(): void {
    this.asked++
  }

  /** A ping of the peer, with this payload, is on its way to the side. */
  peerAsked(payload: Uint8Array): void {
    this.peerPing = payload
    this.askedBefore = this.asked
  }

  /**
   * The side sends a pong with this payload. Returns what its peer gets of it: the pong as it is (`"passed"`), nothing
   * (`"kept"`), or in its place one with the payload that is returned.
   */
  answer(payload: Uint8Array): "passed" | "kept" | Uint8Array {
    const number = numberIn(payload)
    const { peerPing } = this
    if (number > this.answered && number <= this.asked) {
      this.answered = number
      if (peerPing === undefined || number <= this.askedBefore) return "kept"
      this.peerPing = undefined
      return peerPing
    }
    if (peerPing !== undefined && Buffer.compare(peerPing, payload) === 0) this.peerPing = undefined
    return "passed"
  }
}
