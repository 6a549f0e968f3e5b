import { describe, expect, it } from "@effect/vitest"
import { setTimeout as pause } from "node:timers/promises"
import { type LineOutput, LineSink } from "../../src/log/LineSink.js"
import { WholeLines } from "../../src/log/StandardOutput.js"

const fault = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code })

/** An output that takes `room` bytes, at most `step` at a time, and then answers with `error`. */
class TestOutput implements LineOutput {
  taken = ""
  writes = 0
  isBusy = false
  room = Number.POSITIVE_INFINITY
  step = Number.POSITIVE_INFINITY
  error = fault("EAGAIN")

  write(bytes: Buffer, offset: number, done: (error: NodeJS.ErrnoException | null, offset: number) => void): void {
    expect(this.isBusy).toBe(false)
    this.isBusy = true
    this.writes++
    setImmediate(() => {
      this.isBusy = false
      const to = this.take(bytes, offset)
      if (to === offset) done(this.error, offset)
      else done(null, to)
    })
  }

  writeNow(bytes: Buffer, offset: number): number {
    return this.take(bytes, offset)
  }

  private take(bytes: Buffer, offset: number): number {
    const size = Math.min(this.room, this.step, bytes.length - offset)
    this.taken += bytes.toString("latin1", offset, offset + size)
    this.room -= size
    return offset + size
  }
}

/** An output that takes what it is given, piece by piece. */
class Pieces implements LineOutput {
  readonly pieces: Array<string> = []

  write(bytes: Buffer, offset: number, done: (error: NodeJS.ErrnoException | null, offset: number) => void): void {
    done(null, this.writeNow(bytes, offset))
  }

  writeNow(bytes: Buffer, offset: number): number {
    this.pieces.push(bytes.toString("latin1", offset))
    return bytes.length
  }
}

const line = "x".repeat(1_023)
const patience = 5_000

describe("lines on their way", () => {
  it("gather, and go out in order, in few writes, one at a time", async () => {
    const output = new TestOutput()
    const lines = new LineSink(output, 1)
    for (let count = 0; count < 1_000; count++) lines.write(String(count))
    expect(output.writes).toBe(0)
    await lines.flush(patience)
    expect(output.taken).toBe(Array.from({ length: 1_000 }, (_, index) => `${index}\n`).join(""))
    expect(output.writes).toBe(1)
    for (let count = 0; count < 1_000; count++) lines.write(line)
    await lines.flush(patience)
    expect(output.writes).toBeLessThan(20)
  })

  it("go out without more to come, after a while", async () => {
    const output = new TestOutput()
    const lines = new LineSink(output, 1)
    lines.write("one")
    while (output.taken === "") await pause(1)
    expect(lines.waiting).toBe(0)
  })

  it("are whole however small the parts are in which they are taken", async () => {
    const output = new TestOutput()
    output.step = 7
    const lines = new LineSink(output, 1)
    for (let count = 0; count < 100; count++) lines.write(`the line ${count}`)
    await lines.flush(patience)
    expect(output.taken).toBe(Array.from({ length: 100 }, (_, index) => `the line ${index}\n`).join(""))
  })

  it("gather in memory that is used again, and of which there are two where some is written while more comes", async () => {
    const lines = new LineSink(new TestOutput(), 1)
    const memories = new Set<unknown>()
    const write = () => {
      memories.add(lines.room())
      lines.write(line)
    }
    for (let turn = 0; turn < 20; turn++) {
      write()
      const flushed = lines.flush(patience)
      write()
      await flushed
      write()
    }
    expect(memories.size).toBe(2)
  })

  it("that are made in its memory are as good as those that come as texts", async () => {
    const output = new TestOutput()
    const lines = new LineSink(output, 1)
    const put = (text: string) => {
      const { bytes, length } = lines.room()
      return lines.took(bytes.write(`${text}\n`, length, "latin1"))
    }
    const sizes = Array.from({ length: 300 }, (_, index) => (index * 7_919) % 30_000)
    for (const [index, size] of sizes.entries()) {
      expect(index % 3 === 0 ? lines.write("y".repeat(size)) : put("z".repeat(size))).toBe(true)
      if (index % 50 === 49) await lines.flush(patience)
    }
    await lines.flush(patience)
    const texts = sizes.map((size, index) => (index % 3 === 0 ? "y" : "z").repeat(size))
    expect(output.taken).toBe(texts.map((text) => `${text}\n`).join(""))
    while (put(line)) expect(lines.dropped).toBe(0)
    expect(lines.waiting).toBeGreaterThan(4_000)
    expect(lines.dropped).toBe(1)
  })

  it("are tried again where nobody reads, and go on in the midst of a line", async () => {
    const output = new TestOutput()
    output.room = 2_000
    const lines = new LineSink(output, 1)
    for (let count = 0; count < 4; count++) lines.write(line)
    while (output.writes < 4) await pause(5)
    expect(output.taken.length).toBe(2_000)
    expect(lines.failures).toBe(0)
    output.room = Number.POSITIVE_INFINITY
    await lines.flush(patience)
    expect(output.taken).toBe(`${line}\n`.repeat(4))
  })

  it("are tried again each second where that fails; it is told once, and again after it has worked", async () => {
    const output = new TestOutput()
    const told: Array<string | undefined> = []
    const lines = new LineSink(output, 1, { failing: ({ code }) => told.push(code) })
    output.error = fault("ENOSPC")
    output.room = 0
    lines.write("one")
    while (lines.failures < 2) await pause(20)
    expect(told).toEqual(["ENOSPC"])
    output.room = 4
    await lines.flush(patience)
    lines.write("two")
    while (lines.failures < 3) await pause(20)
    expect(told).toEqual(["ENOSPC", "ENOSPC"])
    expect(output.taken).toBe("one\n")
  })

  it("have a bound: the newest are dropped, counted and told of once until somebody asks how many", async () => {
    const output = new TestOutput()
    output.room = 0
    let told = 0
    const lines = new LineSink(output, 1, { dropping: () => told++ })
    for (let count = 0; count < 5_000; count++) lines.write(line)
    expect(lines.waiting).toBeGreaterThan(4_000)
    expect(lines.waiting).toBeLessThanOrEqual(4_096)
    expect({ told, dropped: lines.dropped }).toEqual({ told: 1, dropped: 5_000 - lines.waiting })
    expect(lines.takeDropped()).toBe(lines.dropped)
    expect(lines.takeDropped()).toBe(0)
    const kept = lines.waiting
    output.room = Number.POSITIVE_INFINITY
    await lines.flush(patience)
    expect(output.taken).toBe(`${line}\n`.repeat(kept))
    lines.write("on")
    await lines.flush(patience)
    expect(output.taken.endsWith("\non\n")).toBe(true)
  })

  it("have a line in place of those that are lost, where that is wanted, and nothing behind it before it", async () => {
    const output = new TestOutput()
    output.room = 0
    const lines = new LineSink(output, 1, { gap: (dropped) => `${dropped} lost` })
    for (let count = 0; count < 5_000; count++) lines.write(line)
    lines.write("short")
    const kept = lines.waiting
    output.room = Number.POSITIVE_INFINITY
    await lines.flush(patience)
    lines.write("on")
    await lines.flush(patience)
    expect(output.taken).toBe(`${`${line}\n`.repeat(kept)}${5_001 - kept} lost\non\n`)
  })

  it("are waited for no longer than that: what is left is known", async () => {
    const output = new TestOutput()
    output.room = 0
    const lines = new LineSink(output, 1)
    lines.write("one")
    lines.write("two")
    await lines.flush(20)
    expect(lines.waiting).toBe(2)
  })

  it("go out at once where the process ends, as far as there is room", () => {
    const output = new TestOutput()
    const lines = new LineSink(output, 1_000)
    for (let count = 0; count < 100; count++) lines.write(line)
    output.isBusy = false
    lines.writeNow()
    // What was being written is the system's already.
    expect(lines.waiting).toBeGreaterThan(10)
    expect(output.taken).toBe(`${line}\n`.repeat(100 - lines.waiting))
  })
})

describe("lines for an output that other processes write to", () => {
  it("go out as many at a time as a pipe takes whole, and a longer one by itself", () => {
    const lengths = [1, 4_000, 92, 1, 5_000, 4_095, 0, 4_096, 10]
    const text = lengths.map((length) => `${"x".repeat(length)}\n`).join("")
    const output = new Pieces()
    const whole = new WholeLines(output)
    const bytes = Buffer.from(text)
    let at = 0
    while (at < bytes.length) whole.write(bytes, at, (_, next) => (at = next))
    expect(output.pieces.join("")).toBe(text)
    expect(output.pieces.map(({ length }) => length)).toEqual([4_096, 2, 5_001, 4_096, 1, 4_097, 11])
    whole.writeNow(bytes, 0)
    expect(output.pieces.join("")).toBe(text + text)
    expect(output.pieces.every((piece) => piece.endsWith("\n"))).toBe(true)
  })
})
