/** What in a byte stream breaks RFC 6455, and the close code to say so with (section 7.4.1). */
export interface CursorFault {
  /** 1002: protocol error; 1009: message too big. */
  readonly code: 1002 | 1009
  /** The rule that was broken, for a log or a close reason: plain ASCII, under 123 bytes. */
  readonly problem: string
}

/** What a close frame said. */
export interface CloseContent {
  /** `undefined` where the frame had no payload. Not checked against the codes that may stand on the wire. */
  readonly code: number | undefined
  /** Decoded as UTF-8; bytes that are not become U+FFFD. */
  readonly reason: string
}

/** What a cursor has to know of the direction that it follows. */
export interface FrameCursorOptions {
  /** `true` for the way from client to server, whose frames must be masked; those of the other way must not be. */
  readonly masked: boolean
  /** Whether an extension was negotiated, so that data frames may have RSV bits set. Default: `false`. */
  readonly extensions?: boolean
  /**
   * Most payload bytes of one message, summed over its fragments as they are on the wire (compressed, where they are).
   * Default: no limit.
   */
  readonly maxMessageBytes?: number
  /** Whether the payloads of pings and pongs are kept (`controlPayload`), and not only those of close frames. */
  readonly keepsPings?: boolean
  /** Told about every control frame once it is complete. */
  readonly listener?: ControlListener
}

/** Who wants to know of control frames. */
export interface ControlListener {
  /** `start` and `end` are offsets in the chunk at hand; a frame that began in an earlier chunk has a negative `start`. */
  controlPassed(opcode: ControlOpcode, start: number, end: number): void
}

/** Close, ping and pong (RFC 6455 section 5.5). */
export type ControlOpcode = 8 | 9 | 10

const continuation = 0
const text = 1
const binary = 2
const closing = 8
const ping = 9
const pong = 10

const finBit = 0x80
const rsvBits = 0x70
const opcodeBits = 0x0f
const maskBit = 0x80
const lengthBits = 0x7f

const faults = {
  reservedOpcode: { code: 1002, problem: "reserved opcode" },
  unmasked: { code: 1002, problem: "a frame from the client is not masked" },
  masked: { code: 1002, problem: "a frame from the server is masked" },
  rsv: { code: 1002, problem: "RSV bits are set without an extension" },
  rsvOnControl: { code: 1002, problem: "RSV bits are set on a control frame" },
  fragmentedControl: { code: 1002, problem: "a control frame is fragmented" },
  longControl: { code: 1002, problem: "a control frame has more than 125 bytes of payload" },
  shortClose: { code: 1002, problem: "a close frame has half a close code" },
  strayContinuation: { code: 1002, problem: "a continuation frame without a message to continue" },
  interruptedMessage: { code: 1002, problem: "a new message inside a fragmented one" },
  notMinimal: { code: 1002, problem: "a payload length is not encoded in the fewest bytes" },
  negativeLength: { code: 1002, problem: "a payload length has its top bit set" },
  unsafeLength: { code: 1009, problem: "a payload length is beyond what can be counted" },
  tooLong: { code: 1009, problem: "a message is larger than the limit" },
} as const satisfies Record<string, CursorFault>

const longestHeader = 14
const noBytes = new Uint8Array(0)
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

/** Bytes of a header whose second byte is this (RFC 6455 section 5.2). */
const headerSize = (second: number): number => {
  const length = second & lengthBits
  const extended = length < 126 ? 0 : length === 126 ? 2 : 8
  return 2 + extended + (second >= maskBit ? 4 : 0)
}

const byteAt = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0

const uint32At = (bytes: Uint8Array, index: number): number =>
  byteAt(bytes, index) * 0x1000000 +
  ((byteAt(bytes, index + 1) << 16) | (byteAt(bytes, index + 2) << 8) | byteAt(bytes, index + 3))

/** The payload length in the header at `at`; not exact beyond MAX_SAFE_INTEGER. */
const lengthAt = (bytes: Uint8Array, at: number): number => {
  const length = byteAt(bytes, at + 1) & lengthBits
  if (length < 126) return length
  if (length === 126) return (byteAt(bytes, at + 2) << 8) | byteAt(bytes, at + 3)
  return uint32At(bytes, at + 2) * 0x100000000 + uint32At(bytes, at + 6)
}

const lengthFault = (bytes: Uint8Array, at: number, length: number): CursorFault | undefined => {
  const encoding = byteAt(bytes, at + 1) & lengthBits
  if (encoding < 126) return undefined
  if (length < (encoding === 126 ? 126 : 0x10000)) return faults.notMinimal
  if (encoding === 126) return undefined
  if (byteAt(bytes, at + 2) >= 0x80) return faults.negativeLength
  return length > Number.MAX_SAFE_INTEGER ? faults.unsafeLength : undefined
}

const controlFault = (first: number, second: number): CursorFault | undefined => {
  const opcode = first & opcodeBits
  const length = second & lengthBits
  if (opcode > pong) return faults.reservedOpcode
  if ((first & rsvBits) !== 0) return faults.rsvOnControl
  if (first < finBit) return faults.fragmentedControl
  if (length > 125) return faults.longControl
  return opcode === closing && length === 1 ? faults.shortClose : undefined
}

/**
 * Follows the frame boundaries of one direction of a WebSocket (RFC 6455 section 5) as its bytes pass, cut into chunks
 * in any way. Payload is neither copied nor unmasked, except that of a close frame (and of pings, on request); a
 * frame of data allocates nothing.
 *
 * Stricter than the RFC in one point: RSV bits on control frames and reserved opcodes are faults even where an
 * extension was negotiated, for no registered extension uses them. Not checked, because both ends do: UTF-8 and the
 * values of close codes. What follows a close frame is no fault either, only counted: it is for the receiver to ignore.
 */
export class FrameCursor {
  /** Complete text messages. */
  texts = 0
  /** Complete binary messages. */
  binaries = 0
  pings = 0
  pongs = 0
  closes = 0
  /** Complete frames of every kind. */
  frames = 0
  /** Complete frames after the first close frame, which section 5.5.1 forbids. */
  framesAfterClose = 0
  /** Payload of data frames that has passed, as it is on the wire. */
  payloadBytes = 0
  /** All bytes given to `advance`. */
  wireBytes = 0
  /**
   * Unmasked payload of the last control frame, once it is complete: of a close frame, and of a ping or pong where
   * `keepsPings` says so. Its bytes do not change any more.
   */
  controlPayload = noBytes
  /** What the first close frame said, once it is complete. */
  close: CloseContent | undefined = undefined
  /** Set by the first fault, and for good: the stream cannot be followed any further. */
  fault: CursorFault | undefined = undefined
  /**
   * The last offset in the last chunk between two frames: something may be injected there. It is 0 where the chunk
   * began at a boundary and completed no frame, and -1 where no boundary lies in it. After a fault the bytes before it
   * are sound; -1 means that the header of the faulty frame began in an earlier chunk.
   */
  lastBoundary = 0

  private readonly mask: number
  private readonly extensions: boolean
  private readonly limit: number
  private readonly keepsPings: boolean
  private readonly listener: ControlListener | undefined

  /** A header that came in pieces, which is rare, and how much of it there is. */
  private header = noBytes
  private held = 0

  /** The frame whose payload passes: its first byte, what is to come, and the size of all of it. */
  private first = 0
  private remaining = 0
  private frameBytes = 0

  /** The opcode of the message that is not complete (0: none), and its size up to now. */
  private message = 0
  private messageBytes = 0

  /** The control frame whose payload is kept: its key, and how much there is of the payload. */
  private controlKey = 0
  private controlBytes = 0

  constructor(options: FrameCursorOptions) {
    this.mask = options.masked ? maskBit : 0
    this.extensions = options.extensions ?? false
    this.limit = options.maxMessageBytes ?? Number.MAX_SAFE_INTEGER
    this.keepsPings = options.keepsPings ?? false
    this.listener = options.listener
  }

  /** Whether the bytes up to now end between two frames. Never again after a fault. */
  get atBoundary(): boolean {
    return this.remaining === 0 && this.held === 0 && this.fault === undefined
  }

  /** Whether the bytes up to now end inside the header of a frame, which may still turn out to be faulty. */
  get inHeader(): boolean {
    return this.held > 0 && this.fault === undefined
  }

  /** Whether a fragmented message is not complete; between its fragments only control frames may be injected. */
  get inMessage(): boolean {
    return this.message !== 0
  }

  /** Complete frames that carry data. */
  get dataFrames(): number {
    return this.frames - this.pings - this.pongs - this.closes
  }

  /** Follows the next bytes of the stream. Never throws (unless its listener does); a fault is returned every time. */
  advance(chunk: Uint8Array): CursorFault | undefined {
    const size = chunk.length
    this.wireBytes += size
    this.lastBoundary = this.atBoundary ? 0 : -1
    if (this.fault !== undefined) return this.fault
    let at = 0
    while (at < size) {
      if (this.remaining === 0) {
        at = this.held === 0 ? this.openFrame(chunk, at) : this.resumeHeader(chunk, at)
        if (this.fault !== undefined) return this.fault
        if (this.held > 0) return undefined
      }
      at = this.passPayload(chunk, at)
      if (this.remaining === 0) this.endFrame(at)
    }
    return undefined
  }

  /** Reads a header that begins at `at`, or holds as much of it as there is. Returns where its payload begins. */
  private openFrame(chunk: Uint8Array, at: number): number {
    const available = chunk.length - at
    const size = this.readHeader(chunk, at, available)
    if (size > 0) return at + size
    if (this.fault !== undefined) return at
    if (this.header === noBytes) this.header = new Uint8Array(longestHeader)
    for (let index = 0; index < available; index++) this.header[index] = byteAt(chunk, at + index)
    this.held = available
    return chunk.length
  }

  /** Goes on with a header whose beginning is held. Returns where its payload begins, or the end of the chunk. */
  private resumeHeader(chunk: Uint8Array, start: number): number {
    for (let at = start; at < chunk.length; at++) {
      this.header[this.held++] = byteAt(chunk, at)
      if (this.readHeader(this.header, 0, this.held) > 0) {
        this.held = 0
        return at + 1
      }
      if (this.fault !== undefined) break
    }
    return chunk.length
  }

  /** Reads the header at `at` and opens its frame. Returns the header's size; 0 where it is not all there or faulty. */
  private readHeader(bytes: Uint8Array, at: number, available: number): number {
    if (available < 2) return 0
    const first = byteAt(bytes, at)
    const second = byteAt(bytes, at + 1)
    this.fault = this.openingFault(first, second)
    const size = headerSize(second)
    if (this.fault !== undefined || available < size) return 0
    const length = lengthAt(bytes, at)
    this.fault = lengthFault(bytes, at, length) ?? this.extendMessage(first & opcodeBits, length)
    if (this.fault !== undefined) return 0
    this.first = first
    this.remaining = length
    this.frameBytes = size + length
    if (this.keepsPayload(first & opcodeBits))
      this.openControl(this.mask === 0 ? 0 : uint32At(bytes, at + size - 4), length)
    return size
  }

  /** What forbids that a frame begins with these two bytes, here. */
  private openingFault(first: number, second: number): CursorFault | undefined {
    const opcode = first & opcodeBits
    if ((second & maskBit) !== this.mask) return this.mask === 0 ? faults.masked : faults.unmasked
    if (opcode >= closing) return controlFault(first, second)
    if (opcode > binary) return faults.reservedOpcode
    if ((first & rsvBits) !== 0 && !this.extensions) return faults.rsv
    if (opcode === continuation) return this.message === 0 ? faults.strayContinuation : undefined
    return this.message === 0 ? undefined : faults.interruptedMessage
  }

  /** Adds a frame to its message; a fault where that becomes too large. */
  private extendMessage(opcode: number, length: number): CursorFault | undefined {
    if (opcode >= closing) return undefined
    if (length > this.limit - this.messageBytes) return faults.tooLong
    if (opcode !== continuation) this.message = opcode
    this.messageBytes += length
    return undefined
  }

  /** Counts what `chunk` has of the payload from `at` on. Returns where that ends. */
  private passPayload(chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.remaining, chunk.length - at)
    const opcode = this.first & opcodeBits
    if (opcode < closing) this.payloadBytes += taken
    else if (this.keepsPayload(opcode)) this.keepControl(chunk, at, taken)
    this.remaining -= taken
    return at + taken
  }

  private endFrame(at: number): void {
    this.lastBoundary = at
    this.frames++
    if (this.close !== undefined) this.framesAfterClose++
    const opcode = this.first & opcodeBits
    if (opcode >= closing) {
      this.endControl(opcode, at)
    } else if (this.first >= finBit) {
      if (this.message === text) this.texts++
      else this.binaries++
      this.message = 0
      this.messageBytes = 0
    }
  }

  private endControl(opcode: number, at: number): void {
    const start = at - this.frameBytes
    if (opcode === ping) {
      this.pings++
      this.listener?.controlPassed(ping, start, at)
    } else if (opcode === pong) {
      this.pongs++
      this.listener?.controlPassed(pong, start, at)
    } else {
      this.closes++
      this.close ??= this.readClose()
      this.listener?.controlPassed(closing, start, at)
    }
  }

  private keepsPayload(opcode: number): boolean {
    return opcode === closing || (this.keepsPings && opcode > closing)
  }

  private openControl(key: number, length: number): void {
    this.controlKey = key
    this.controlPayload = length === 0 ? noBytes : new Uint8Array(length)
    this.controlBytes = 0
  }

  private keepControl(chunk: Uint8Array, at: number, taken: number): void {
    for (let index = at; index < at + taken; index++) {
      const key = (this.controlKey >>> (24 - 8 * (this.controlBytes & 3))) & 0xff
      this.controlPayload[this.controlBytes++] = byteAt(chunk, index) ^ key
    }
  }

  private readClose(): CloseContent {
    const payload = this.controlPayload
    if (payload.length < 2) return { code: undefined, reason: "" }
    return {
      code: (byteAt(payload, 0) << 8) | byteAt(payload, 1),
      reason: utf8.decode(payload.subarray(2)),
    }
  }
}
