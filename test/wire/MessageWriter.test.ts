import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { connect, type Socket } from "node:net"
import { Writable } from "node:stream"
import type { RawFields } from "../../src/wire/HeaderFields.js"
import { fieldLines, MessageWriter } from "../../src/wire/MessageWriter.js"
import { type OriginConnection, RawOrigin, silent } from "../support/RawOrigin.js"

const head = "HTTP/1.1 200 \xe9\r\nX-A: \xff\r\n\r\n"
const trailers: RawFields = ["T", "1", "t", "\xfe"]
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1")

/** What goes to the kernel, call by call, each with its pieces. */
class Recorder extends Writable {
  readonly calls: Array<ReadonlyArray<Buffer>> = []

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.calls.push([chunk])
    done()
  }

  override _writev(chunks: ReadonlyArray<{ readonly chunk: Buffer }>, done: () => void): void {
    this.calls.push(chunks.map(({ chunk }) => chunk))
    done()
  }

  get texts(): ReadonlyArray<string> {
    return this.calls.map((pieces) => Buffer.concat(pieces).toString("latin1"))
  }
}

/** Writes a message; gives what each call to the kernel brought. */
const written = (chunked: boolean, write: (writer: MessageWriter) => void): ReadonlyArray<string> => {
  const recorder = new Recorder()
  write(new MessageWriter(recorder, head, chunked))
  return recorder.texts
}

describe("MessageWriter", () => {
  it("writes fields as lines, byte for byte", () => {
    assert.strictEqual(fieldLines(["A", "1", "a", "", "B", "\xe9"]), "A: 1\r\na: \r\nB: \xe9\r\n")
    assert.strictEqual(fieldLines([]), "")
  })

  for (const [what, chunked, write, calls] of [
    ["a whole message", false, (writer) => writer.whole(latin1("hi\xff"), []), [`${head}hi\xff`]],
    ["one in chunks", true, (writer) => writer.whole(latin1("hi\xff"), []), [`${head}3\r\nhi\xff\r\n0\r\n\r\n`]],
    [
      "one in chunks with trailers",
      true,
      (writer) => writer.whole(latin1("hi"), trailers),
      [`${head}2\r\nhi\r\n0\r\nT: 1\r\nt: \xfe\r\n\r\n`],
    ],
    ["one whose trailers have no place", false, (writer) => writer.whole(latin1("hi"), trailers), [`${head}hi`]],
    ["one without content", false, (writer) => writer.whole(undefined, []), [head]],
    ["one of no bytes", false, (writer) => writer.whole(Buffer.alloc(0), []), [head]],
    ["no content in chunks", true, (writer) => writer.whole(undefined, []), [`${head}0\r\n\r\n`]],
    [
      "no bytes in chunks",
      true,
      (writer) => writer.whole(Buffer.alloc(0), trailers),
      [`${head}0\r\nT: 1\r\nt: \xfe\r\n\r\n`],
    ],
  ] as ReadonlyArray<readonly [string, boolean, (writer: MessageWriter) => void, ReadonlyArray<string>]>) {
    it(`writes ${what} with its head, in one call`, () => assert.deepStrictEqual(written(chunked, write), calls))
  }

  it("writes the head with the first piece, and each further piece as it comes", () => {
    const pieces = (writer: MessageWriter) => {
      for (const text of ["one", "\x00\xff", "x".repeat(16_384)]) writer.chunk(latin1(text))
      writer.end(trailers)
    }
    assert.deepStrictEqual(written(false, pieces), [`${head}one`, "\x00\xff", "x".repeat(16_384)])
    assert.deepStrictEqual(written(true, pieces), [
      `${head}3\r\none\r\n`,
      "2\r\n\x00\xff\r\n",
      `4000\r\n${"x".repeat(16_384)}\r\n`,
      "0\r\nT: 1\r\nt: \xfe\r\n\r\n",
    ])
  })

  it("writes the end with the last piece, where it is known to be the last", () => {
    const both = (writer: MessageWriter) => {
      writer.chunk(latin1("one"))
      writer.chunk(latin1("two"), [])
    }
    assert.deepStrictEqual(written(true, both), [`${head}3\r\none\r\n`, "3\r\ntwo\r\n0\r\n\r\n"])
    assert.deepStrictEqual(written(false, both), [`${head}one`, "two"])
  })

  it("lets the head leave alone by `flush`, once, and not where something has followed it", () => {
    const early = (writer: MessageWriter) => {
      writer.flush()
      writer.flush()
      writer.chunk(latin1("one"))
      writer.flush()
      writer.end([])
    }
    assert.deepStrictEqual(written(true, early), [head, "3\r\none\r\n", "0\r\n\r\n"])
    assert.deepStrictEqual(written(false, early), [head, "one"])
    const ended = (writer: MessageWriter) => {
      writer.end([])
      writer.flush()
    }
    assert.deepStrictEqual(written(false, ended), [head])
    assert.deepStrictEqual(written(true, ended), [`${head}0\r\n\r\n`])
  })

  it("writes large content between its framing in one call, and does not copy it", () => {
    const large = Buffer.alloc(16_385, "x")
    for (const [chunked, before, behind] of [
      [true, `${head}4001\r\n`, "\r\n0\r\n\r\n"],
      [false, head, undefined],
    ] as const) {
      const recorder = new Recorder()
      new MessageWriter(recorder, head, chunked).whole(large, [])
      const [pieces, ...more] = recorder.calls
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(
        pieces?.map((piece) => (piece === large ? "large" : piece.toString("latin1"))),
        behind === undefined ? [before, "large"] : [before, "large", behind],
      )
    }
    const recorder = new Recorder()
    const writer = new MessageWriter(recorder, head, false)
    writer.flush()
    writer.chunk(large)
    assert.strictEqual(recorder.calls[1]?.[0], large)
  })

  it("takes any view of bytes", () => {
    const bytes = new Uint8Array(latin1("..hello..")).subarray(2, 7)
    assert.deepStrictEqual(
      written(true, (writer) => writer.chunk(bytes)),
      [`${head}5\r\nhello\r\n`],
    )
  })
})

const large = 65_536
/** What a sink holds before it asks to wait: several large pieces. */
const room = 4 * large

/** A socket with that much room, and the other end of it, which does not read. */
const slowReader: Effect.Effect<{ readonly socket: Socket; readonly reader: OriginConnection }, never, Scope.Scope> =
  Effect.gen(function* () {
    const origin = yield* RawOrigin.start(silent)
    const socket = yield* Effect.acquireRelease(
      Effect.async<Socket>((resume) => {
        const options = { port: origin.port, host: origin.host, writableHighWaterMark: room }
        const opened = connect(options, () => resume(Effect.succeed(opened)))
      }),
      (opened) => Effect.sync(() => opened.destroy()),
    )
    const reader = yield* Effect.orDie(origin.connection())
    yield* reader.stopReading
    return { socket, reader }
  })

/** Fills what the kernel takes; gives how many bytes that were, written or waiting. */
const fill = (socket: Socket): number => {
  let bytes = 0
  while (socket.writableLength === 0) {
    socket.write(Buffer.alloc(large))
    bytes += large
  }
  return bytes
}

describe("what MessageWriter says of a piece", () => {
  it.scopedLive("`consumed`: the kernel has taken it, whatever its size", () =>
    Effect.gen(function* () {
      const { reader, socket } = yield* slowReader
      const writer = new MessageWriter(socket, head, true)
      assert.strictEqual(writer.chunk(latin1("small")), "consumed")
      const bytes = Buffer.alloc(large, "x")
      assert.strictEqual(writer.chunk(bytes), "consumed")
      bytes.fill("!")
      yield* reader.readOn
      yield* reader.seenBytes(head.length + large)
      assert.notInclude(reader.text, "!")
    }),
  )

  it.scopedLive("`consumed`: it waits for the reader, but was copied, being small", () =>
    Effect.gen(function* () {
      const { reader, socket } = yield* slowReader
      const before = fill(socket)
      const writer = new MessageWriter(socket, head, false)
      const bytes = Buffer.alloc(16_384, "x")
      assert.strictEqual(writer.chunk(bytes), "consumed")
      bytes.fill("!")
      yield* reader.readOn
      yield* reader.seenBytes(before + head.length + bytes.length)
      assert.isTrue(reader.text.endsWith(head + "x".repeat(16_384)))
    }),
  )

  it.scopedLive("`buffered`: it waits for the reader in its own memory", () =>
    Effect.gen(function* () {
      const { reader, socket } = yield* slowReader
      const before = fill(socket)
      const writer = new MessageWriter(socket, head, false)
      const bytes = Buffer.alloc(16_385, "x")
      assert.strictEqual(writer.chunk(bytes), "buffered")
      bytes.fill("y")
      yield* reader.readOn
      yield* reader.seenBytes(before + head.length + bytes.length)
      assert.isTrue(reader.text.endsWith(head + "y".repeat(16_385)))
    }),
  )

  it.scopedLive("`full`: too much waits, small or large, and the sink drains when there is room again", () =>
    Effect.gen(function* () {
      const { reader, socket } = yield* slowReader
      let total = fill(socket)
      const writer = new MessageWriter(socket, "", false)
      const consumptions: Array<string> = []
      for (const size of [large, large, large, 1]) {
        consumptions.push(writer.chunk(Buffer.alloc(size, "x")))
        total += size
      }
      assert.deepStrictEqual(consumptions, ["buffered", "buffered", "full", "full"])
      const drained = Effect.async<void>((resume) => void socket.once("drain", () => resume(Effect.void)))
      yield* Effect.zip(drained, reader.readOn, { concurrent: true })
      yield* reader.seenBytes(total)
      assert.strictEqual(writer.chunk(Buffer.alloc(large)), "consumed")
    }),
  )
})
