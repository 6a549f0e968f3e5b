/** The key that test frames are masked with: any will do, but not all zeros, which would mask nothing. */
const key = [0x1a, 0x2b, 0x3c, 0x4d] as const

/** What a test may choose of a frame. */
export interface FrameOptions {
  readonly fin?: boolean
  readonly masked?: boolean
  /** The first byte's RSV bits, in place: 0x40 is RSV1. */
  readonly rsv?: number
}

const lengthBytes = (length: number): ReadonlyArray<number> => {
  if (length < 126) return [length]
  if (length < 0x10000) return [126, length >>> 8, length & 0xff]
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return [127, ...bytes]
}

/** The bytes of a frame (RFC 6455 section 5.2). */
export const frame = (opcode: number, payload: string | Buffer, options: FrameOptions = {}): Buffer => {
  const { fin = true, masked = false, rsv = 0 } = options
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload
  const [length = 0, ...extended] = lengthBytes(bytes.length)
  const head = Buffer.from([(fin ? 0x80 : 0) | rsv | opcode, (masked ? 0x80 : 0) | length, ...extended])
  if (!masked) return Buffer.concat([head, bytes])
  const body = Buffer.from(bytes.map((byte, index) => byte ^ (key[index & 3] ?? 0)))
  return Buffer.concat([head, Buffer.from(key), body])
}

/** A text frame of a client. */
export const clientText = (text: string): Buffer => frame(1, text, { masked: true })

/** A text frame of a server. */
export const serverText = (text: string): Buffer => frame(1, text)

const closePayload = (code: number, reason: string): Buffer =>
  Buffer.concat([Buffer.from([code >>> 8, code & 0xff]), Buffer.from(reason)])

export const clientClose = (code: number, reason = ""): Buffer => frame(8, closePayload(code, reason), { masked: true })

export const serverClose = (code: number, reason = ""): Buffer => frame(8, closePayload(code, reason))

/** A frame that was read. */
export interface SeenFrame {
  readonly opcode: number
  readonly fin: boolean
  readonly masked: boolean
  readonly payload: Buffer
  /** Payload as text; of a close frame `code reason`. */
  readonly text: string
}

const textOf = (opcode: number, payload: Buffer): string => {
  if (opcode !== 8) return payload.toString()
  return payload.length < 2 ? "" : `${payload.readUInt16BE(0)} ${payload.toString("utf8", 2)}`
}

interface SeenHead {
  readonly masked: boolean
  readonly start: number
  readonly length: number
}

const headAt = (bytes: Buffer, at: number): SeenHead | undefined => {
  if (bytes.length < at + 2) return undefined
  const second = bytes.readUInt8(at + 1)
  const short = second & 0x7f
  const extended = short < 126 ? 0 : short === 126 ? 2 : 8
  const masked = second >= 0x80
  const start = at + 2 + extended + (masked ? 4 : 0)
  if (bytes.length < start) return undefined
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
  return { masked, start, length }
}

/** Whole frames in `bytes`, and how many bytes follow the last of them. A reader of its own: it shares nothing with ours. */
export const readFrames = (bytes: Buffer): { readonly frames: ReadonlyArray<SeenFrame>; readonly rest: number } => {
  const frames: Array<SeenFrame> = []
  let at = 0
  for (let head = headAt(bytes, at); head !== undefined; head = headAt(bytes, at)) {
    const { masked, start, length } = head
    if (bytes.length < start + length) break
    const opcode = bytes.readUInt8(at) & 0x0f
    const body = bytes.subarray(start, start + length)
    const payload = masked
      ? Buffer.from(body.map((byte, index) => byte ^ bytes.readUInt8(start - 4 + (index & 3))))
      : body
    frames.push({ opcode, fin: bytes.readUInt8(at) >= 0x80, masked, payload, text: textOf(opcode, payload) })
    at = start + length
  }
  return { frames, rest: bytes.length - at }
}
