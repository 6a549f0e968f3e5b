import * as FastCheck from "fast-check"
import { once } from "node:events"
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { randomBytes } from "node:crypto"
import { describe, expect, it } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { FrameCursor } from "../../src/websocket/FrameCursor.js"
import type { FrameCursorOptions } from "../../src/websocket/FrameCursor.js"

interface FrameParts {
  readonly opcode: number
  readonly payload?: Uint8Array
  readonly fin?: boolean
  readonly rsv?: number
  readonly masked?: boolean
  /** Instead of the payload's own length, in this many bytes. */
  readonly length?: { readonly value: bigint; readonly bytes: 2 | 8 }
}

const lengthField = (size: number, given: FrameParts["length"]): { short: number; extended: Buffer } => {
  const bytes = given?.bytes ?? (size < 126 ? 0 : size < 65_536 ? 2 : 8)
  const value = given?.value ?? BigInt(size)
  if (bytes === 0) return { short: size, extended: Buffer.alloc(0) }
  const extended = Buffer.alloc(bytes)
  if (bytes === 2) extended.writeUInt16BE(Number(value))
  else extended.writeBigUInt64BE(value)
  return { short: bytes === 2 ? 126 : 127, extended }
}

const frame = ({
  opcode,
  payload = Buffer.alloc(0),
  fin = true,
  rsv = 0,
  masked = true,
  length,
}: FrameParts): Buffer => {
  const { short, extended } = lengthField(payload.length, length)
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | short])
  if (!masked) return Buffer.concat([head, extended, payload])
  const key = randomBytes(4)
  return Buffer.concat([head, extended, key, payload.map((byte, index) => byte ^ key.readUInt8(index & 3))])
}

const closePayload = (code: number, reason: string): Buffer => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return payload
}

const fromClient = (options: Partial<FrameCursorOptions> = {}) => new FrameCursor({ masked: true, ...options })
const fromServer = (options: Partial<FrameCursorOptions> = {}) => new FrameCursor({ masked: false, ...options })

/** Everything that a cursor says which must not depend on how the stream was cut. */
const findings = (cursor: FrameCursor) => ({
  texts: cursor.texts,
  binaries: cursor.binaries,
  pings: cursor.pings,
  pongs: cursor.pongs,
  closes: cursor.closes,
  frames: cursor.frames,
  framesAfterClose: cursor.framesAfterClose,
  payloadBytes: cursor.payloadBytes,
  wireBytes: cursor.wireBytes,
  close: cursor.close,
  fault: cursor.fault,
  atBoundary: cursor.atBoundary,
  inMessage: cursor.inMessage,
})

/** Cuts `stream` at the given places and follows it; boundaries and control frames are offsets in the stream. */
const followed = (stream: Uint8Array, cuts: ReadonlyArray<number>, options: FrameCursorOptions) => {
  let base = 0
  const controls: Array<readonly [number, number, number]> = []
  const boundaries: Array<number> = []
  const cursor = new FrameCursor({
    ...options,
    listener: {
      controlPassed: (opcode, start, end) => void controls.push([opcode, base + start, base + end]),
    },
  })
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])].sort((a, b) => a - b)
  for (const [index, end] of edges.entries()) {
    base = index === 0 ? 0 : (edges[index - 1] ?? 0)
    const fault = cursor.advance(stream.subarray(base, end))
    expect(fault).toBe(cursor.fault)
    if (cursor.lastBoundary >= 0) boundaries.push(base + cursor.lastBoundary)
  }
  return { findings: findings(cursor), controls, boundaries }
}

const payload = (maxLength: number) => FastCheck.uint8Array({ maxLength })
const dataPayload = FastCheck.oneof(
  payload(300),
  FastCheck.constantFrom(125, 126, 65_535, 65_536).map((size) => new Uint8Array(size)),
)
const control = FastCheck.oneof(
  FastCheck.record({ opcode: FastCheck.constantFrom(9, 10), payload: payload(125) }),
  FastCheck.record({
    code: FastCheck.integer({ min: 1000, max: 4999 }),
    reason: FastCheck.string({ maxLength: 60 }),
  }).map(({ code, reason }) => ({ opcode: 8, payload: closePayload(code, reason) })),
)

/** The frames of one message, with control frames between them. */
const message: FastCheck.Arbitrary<ReadonlyArray<FrameParts>> = FastCheck.tuple(
  FastCheck.constantFrom(1, 2),
  FastCheck.array(FastCheck.tuple(dataPayload, FastCheck.option(control, { nil: undefined })), {
    minLength: 1,
    maxLength: 4,
  }),
).map(([opcode, pieces]) =>
  pieces.flatMap(([payload, control], index) => [
    { opcode: index === 0 ? opcode : 0, payload, fin: index === pieces.length - 1 },
    ...(control === undefined ? [] : [control]),
  ]),
)

const stream = FastCheck.array(message, { maxLength: 4 }).map((messages) => messages.flat())

describe("FrameCursor", () => {
  it("counts messages, control frames and bytes of a stream it was never told the frames of", () => {
    FastCheck.assert(
      FastCheck.property(stream, FastCheck.boolean(), (parts, masked) => {
        const bytes = Buffer.concat(parts.map((part) => frame({ ...part, masked })))
        const cursor = new FrameCursor({ masked })
        expect(cursor.advance(bytes)).toBeUndefined()
        const count = (test: (part: FrameParts) => boolean) => parts.filter(test).length
        const firstClose = parts.findIndex((part) => part.opcode === 8)
        expect(findings(cursor)).toMatchObject({
          texts: count((part) => part.opcode === 1),
          binaries: count((part) => part.opcode === 2),
          pings: count((part) => part.opcode === 9),
          pongs: count((part) => part.opcode === 10),
          closes: count((part) => part.opcode === 8),
          frames: parts.length,
          framesAfterClose: firstClose < 0 ? 0 : parts.length - firstClose - 1,
          payloadBytes: parts.reduce((sum, part) => sum + (part.opcode < 8 ? (part.payload?.length ?? 0) : 0), 0),
          wireBytes: bytes.length,
          atBoundary: true,
          inMessage: false,
        })
        expect(cursor.lastBoundary).toBe(bytes.length)
      }),
      { numRuns: 60 },
    )
  })

  it("finds the same however the stream is cut", () => {
    FastCheck.assert(
      FastCheck.property(
        stream,
        FastCheck.boolean(),
        FastCheck.array(FastCheck.nat(), { maxLength: 40 }),
        (parts, masked, cuts) => {
          const frames = parts.map((part) => frame({ ...part, masked }))
          const bytes = Buffer.concat(frames)
          const whole = followed(bytes, [], { masked })
          const pieces = followed(bytes, cuts, { masked })
          expect(pieces.findings).toEqual(whole.findings)
          expect(pieces.controls).toEqual(whole.controls)
          let end = 0
          const ends = new Set([0, ...frames.map(({ length }) => (end += length))])
          for (const boundary of pieces.boundaries) expect(ends).toContain(boundary)
        },
      ),
      { numRuns: 100 },
    )
  })

  it("finds the same in noise, fault included, whole or byte by byte", () => {
    const options = FastCheck.record({
      masked: FastCheck.boolean(),
      extensions: FastCheck.boolean(),
      maxMessageBytes: FastCheck.constantFrom(20, 200, Number.MAX_SAFE_INTEGER),
    })
    FastCheck.assert(
      FastCheck.property(payload(200), stream, options, (noise, parts, options) => {
        const bytes = Buffer.concat([...parts.map((part) => frame({ ...part, masked: options.masked })), noise])
        const tail = bytes.subarray(Math.max(0, bytes.length - 600))
        for (const part of [bytes.subarray(0, 600), tail]) {
          const whole = followed(part, [], options)
          const bits = followed(part, [...part.keys()], options)
          expect(bits.findings).toEqual(whole.findings)
          expect(bits.controls).toEqual(whole.controls)
        }
      }),
      { numRuns: 60 },
    )
  })

  it("names the control frames in a chunk by their offsets, and one that began earlier by a negative start", () => {
    const seen: Array<ReadonlyArray<number>> = []
    const cursor = fromServer({ listener: { controlPassed: (...control) => void seen.push(control) } })
    const data = frame({ opcode: 2, payload: Buffer.alloc(10), masked: false })
    const pong = frame({ opcode: 10, payload: Buffer.from("abc"), masked: false })
    cursor.advance(Buffer.concat([data, pong, pong.subarray(0, 3)]))
    cursor.advance(pong.subarray(3))
    expect(seen).toEqual([
      [10, 12, 17],
      [10, -3, 2],
    ])
  })

  it("says where in a chunk something can be injected", () => {
    const cursor = fromClient()
    const one = frame({ opcode: 1, payload: Buffer.from("hello"), fin: false })
    expect(cursor.atBoundary).toBe(true)
    cursor.advance(Buffer.concat([one, one.subarray(0, 1)]))
    expect([cursor.lastBoundary, cursor.atBoundary, cursor.inMessage]).toEqual([11, false, true])
  })

  it("has no boundary in a chunk that lies inside a frame, and one at 0 before a frame that is not complete", () => {
    const cursor = fromClient()
    const one = frame({ opcode: 2, payload: Buffer.alloc(100) })
    cursor.advance(one.subarray(0, 50))
    expect(cursor.lastBoundary).toBe(0)
    cursor.advance(one.subarray(50, 60))
    expect(cursor.lastBoundary).toBe(-1)
    cursor.advance(Buffer.concat([one.subarray(60), one.subarray(0, 20)]))
    expect([cursor.lastBoundary, cursor.frames]).toEqual([46, 1])
  })

  it("is between the fragments of a message at a boundary, but inside a message", () => {
    const cursor = fromClient()
    cursor.advance(frame({ opcode: 1, payload: Buffer.from("a"), fin: false }))
    cursor.advance(frame({ opcode: 9 }))
    expect([cursor.atBoundary, cursor.inMessage, cursor.texts, cursor.pings]).toEqual([true, true, 0, 1])
    cursor.advance(frame({ opcode: 0, payload: Buffer.from("b") }))
    expect([cursor.atBoundary, cursor.inMessage, cursor.texts, cursor.payloadBytes]).toEqual([true, false, 1, 2])
  })

  it("follows a payload of more than 4 GiB by its header alone", () => {
    const size = 5 * 2 ** 32 + 7
    const cursor = fromServer()
    cursor.advance(frame({ opcode: 2, masked: false, length: { value: BigInt(size), bytes: 8 } }))
    const chunk = new Uint8Array(2 ** 26)
    for (let sent = 0; sent < size - 1;) {
      const part = chunk.subarray(0, Math.min(chunk.length, size - 1 - sent))
      cursor.advance(part)
      sent += part.length
    }
    expect([cursor.atBoundary, cursor.binaries, cursor.lastBoundary]).toEqual([false, 0, -1])
    cursor.advance(Uint8Array.of(7, 0x89, 0))
    expect([cursor.atBoundary, cursor.binaries, cursor.pings, cursor.payloadBytes]).toEqual([true, 1, 1, size])
  })

  describe("close frames", () => {
    for (const masked of [true, false]) {
      it(`reads code and reason of a ${masked ? "masked" : "plain"} one, byte by byte`, () => {
        const cursor = new FrameCursor({ masked })
        for (const byte of frame({ opcode: 8, payload: closePayload(4321, "zu früh ☂"), masked })) {
          expect(cursor.close).toBeUndefined()
          cursor.advance(Uint8Array.of(byte))
        }
        expect(cursor.close).toEqual({ code: 4321, reason: "zu früh ☂" })
      })
    }

    it("finds no code in an empty one", () => {
      const cursor = fromClient()
      cursor.advance(frame({ opcode: 8 }))
      expect(cursor.close).toEqual({ code: undefined, reason: "" })
    })

    it("shows a reason that is not UTF-8 without failing", () => {
      const cursor = fromClient()
      cursor.advance(frame({ opcode: 8, payload: Buffer.from([0x03, 0xe8, 0xff, 0x41]) }))
      expect(cursor.close).toEqual({ code: 1000, reason: "\ufffdA" })
    })

    it("keeps the first, and counts what follows it without a fault", () => {
      const cursor = fromServer()
      const frames = [closePayload(1000, "first"), closePayload(1001, "second")].map((payload) =>
        frame({ opcode: 8, payload, masked: false }),
      )
      frames.push(frame({ opcode: 1, payload: Buffer.from("late"), masked: false }))
      expect(cursor.advance(Buffer.concat(frames))).toBeUndefined()
      expect(cursor.close).toEqual({ code: 1000, reason: "first" })
      expect([cursor.closes, cursor.framesAfterClose, cursor.texts]).toEqual([2, 2, 1])
    })
  })

  describe("faults", () => {
    const cases: ReadonlyArray<{
      readonly name: string
      readonly parts: FrameParts
      readonly problem: RegExp
      readonly code?: 1009
      readonly options?: Partial<FrameCursorOptions>
    }> = [
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => ({
        name: `opcode ${opcode}`,
        parts: { opcode },
        problem: /reserved opcode/,
      })),
      {
        name: "an opcode that an extension may have meant",
        parts: { opcode: 3 },
        problem: /reserved/,
        options: { extensions: true },
      },
      { name: "a frame of the client without a mask", parts: { opcode: 1, masked: false }, problem: /not masked/ },
      { name: "a fragmented ping", parts: { opcode: 9, fin: false }, problem: /fragmented/ },
      { name: "a ping of 126 bytes", parts: { opcode: 9, payload: Buffer.alloc(126) }, problem: /125 bytes/ },
      {
        name: "a pong with a 64-bit length",
        parts: { opcode: 10, length: { value: 1n, bytes: 8 } },
        problem: /125 bytes/,
      },
      {
        name: "a close frame of one byte",
        parts: { opcode: 8, payload: Buffer.alloc(1) },
        problem: /half a close code/,
      },
      { name: "a continuation of nothing", parts: { opcode: 0 }, problem: /without a message/ },
      { name: "RSV1 without an extension", parts: { opcode: 1, rsv: 4 }, problem: /without an extension/ },
      { name: "RSV3 without an extension", parts: { opcode: 2, rsv: 1 }, problem: /without an extension/ },
      { name: "RSV1 on a ping", parts: { opcode: 9, rsv: 4 }, problem: /control frame/, options: { extensions: true } },
      {
        name: "125 bytes in a 16-bit length",
        parts: { opcode: 2, length: { value: 125n, bytes: 2 } },
        problem: /fewest/,
      },
      {
        name: "65535 bytes in a 64-bit length",
        parts: { opcode: 2, length: { value: 65_535n, bytes: 8 } },
        problem: /fewest/,
      },
      {
        name: "a length with its top bit set",
        parts: { opcode: 2, length: { value: 2n ** 63n, bytes: 8 } },
        problem: /top bit/,
      },
      {
        name: "a length beyond 2^53 - 1",
        parts: { opcode: 2, length: { value: 2n ** 53n, bytes: 8 } },
        problem: /beyond/,
        code: 1009,
      },
      {
        name: "a length of 2^63 - 1",
        parts: { opcode: 2, length: { value: 2n ** 63n - 1n, bytes: 8 } },
        problem: /beyond/,
        code: 1009,
      },
      {
        name: "a message over the limit",
        parts: { opcode: 2, payload: Buffer.alloc(11) },
        problem: /limit/,
        code: 1009,
        options: { maxMessageBytes: 10 },
      },
    ]
    for (const { name, parts, problem, code = 1002, options } of cases) {
      it(`refuses ${name}, also byte by byte, and lets what came before it through`, () => {
        const before = frame({ opcode: 1, payload: Buffer.from("fine") })
        const bad = frame(parts)
        const cursor = fromClient(options)
        const fault = cursor.advance(Buffer.concat([before, bad]))
        expect(fault?.code).toBe(code)
        expect(fault?.problem).toMatch(problem)
        expect(Buffer.byteLength(fault?.problem ?? "")).toBeLessThanOrEqual(123)
        expect([cursor.lastBoundary, cursor.atBoundary, cursor.texts]).toEqual([before.length, false, 1])
        expect(cursor.advance(before)).toBe(fault)
        expect([cursor.lastBoundary, cursor.texts]).toEqual([-1, 1])
        const slow = fromClient(options)
        for (const byte of bad) slow.advance(Uint8Array.of(byte))
        expect(slow.fault).toEqual(fault)
      })
    }

    it("refuses a masked frame of the server", () => {
      expect(fromServer().advance(frame({ opcode: 1, masked: true }))?.problem).toMatch(/server is masked/)
    })

    it("refuses a new message inside a fragmented one", () => {
      const cursor = fromClient()
      cursor.advance(frame({ opcode: 1, fin: false }))
      expect(cursor.advance(frame({ opcode: 2 }))?.problem).toMatch(/inside a fragmented/)
    })

    it("tells a fault in the first two bytes without waiting for the rest of the header", () => {
      expect(fromClient().advance(Uint8Array.of(0x83, 0xff))?.code).toBe(1002)
    })

    it("does not offer a boundary for a fault whose frame began in an earlier chunk", () => {
      const cursor = fromClient()
      expect(cursor.advance(Uint8Array.of(0x83))).toBeUndefined()
      expect(cursor.advance(Uint8Array.of(0x80))?.code).toBe(1002)
      expect(cursor.lastBoundary).toBe(-1)
    })

    it("counts the limit over the fragments of a message, and afresh for the next", () => {
      const half = (opcode: number, fin: boolean) => frame({ opcode, fin, payload: Buffer.alloc(5) })
      const cursor = fromClient({ maxMessageBytes: 10 })
      const fits = Buffer.concat([half(2, false), half(9, true), half(0, true)])
      expect(cursor.advance(Buffer.concat([fits, fits, half(1, false), half(0, false)]))).toBeUndefined()
      expect(cursor.advance(frame({ opcode: 0, payload: Buffer.alloc(1) }))?.code).toBe(1009)
    })

    it("allows RSV bits on data frames where an extension was negotiated", () => {
      expect(fromClient({ extensions: true }).advance(frame({ opcode: 1, rsv: 4 }))).toBeUndefined()
    })
  })

  it("follows what `ws` really sends, compressed and in both directions", async () => {
    const up = fromClient({ extensions: true })
    const down = fromServer({ extensions: true })
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: { threshold: 0 } })
    server.on("connection", (peer) => peer.on("message", (data, binary) => peer.send(data, { binary })))
    await once(server, "listening")
    const tap = createServer((client) => {
      const onward = connect((server.address() as AddressInfo).port, "127.0.0.1")
      followAfterHead(client, (chunk) => expect(up.advance(chunk)).toBeUndefined())
      followAfterHead(onward, (chunk) => expect(down.advance(chunk)).toBeUndefined())
      client.pipe(onward).pipe(client)
    }).listen(0, "127.0.0.1")
    await once(tap, "listening")

    const socket = new WebSocket(`ws://127.0.0.1:${(tap.address() as AddressInfo).port}/`)
    await once(socket, "open")
    for (const size of [0, 1, 200, 70_000]) {
      socket.send(randomBytes(size))
      await once(socket, "message")
      socket.send("x".repeat(size))
      await once(socket, "message")
    }
    socket.ping("are you there")
    await once(socket, "pong")
    socket.close(4000, "enough")
    await once(socket, "close")
    tap.close()
    server.close()

    expect(socket.extensions).toContain("permessage-deflate")
    expect(findings(up)).toMatchObject({ texts: 4, binaries: 4, pings: 1, closes: 1, atBoundary: true })
    expect(findings(down)).toMatchObject({ texts: 4, binaries: 4, pongs: 1, closes: 1, atBoundary: true })
    expect(up.close).toEqual({ code: 4000, reason: "enough" })
    expect(down.close).toEqual({ code: 4000, reason: "enough" })
    expect(up.payloadBytes).toBeGreaterThan(70_000)
  })
})

/** Gives `follow` everything that a socket receives after the head of the handshake. */
const followAfterHead = (socket: NodeJS.ReadableStream, follow: (chunk: Uint8Array) => void) => {
  let head = Buffer.alloc(0)
  let inFrames = false
  socket.on("data", (chunk: Buffer) => {
    if (inFrames) return follow(chunk)
    head = Buffer.concat([head, chunk])
    const end = head.indexOf("\r\n\r\n")
    if (end < 0) return
    inFrames = true
    follow(head.subarray(end + 4))
  })
}
