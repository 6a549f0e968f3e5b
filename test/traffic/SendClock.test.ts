import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Socket } from "node:net"
import { Deadlines } from "../../src/clock/Deadlines.js"
import { KernelQueues } from "../../src/socket/KernelQueues.js"
import { SendClock, type SendLimit, type Sender } from "../../src/traffic/SendClock.js"

/** How long a peer may take nothing, in milliseconds. */
const longest = 8_000

/** Four looks in that time. */
const look = longest / 4

/** The kernel as a test has it: it tells at once, or when it is asked to. */
class TestQueues extends KernelQueues {
  /** What a peer has not acknowledged; `undefined`: this system does not tell. */
  unacknowledged: number | undefined
  isSlow = false
  private readonly asked: Array<() => void> = []

  override ask(_socket: Socket, asker: (bytes: number | undefined) => void): void {
    if (this.isSlow) this.asked.push(() => asker(this.unacknowledged))
    else asker(this.unacknowledged)
  }

  tell(): void {
    for (const answer of this.asked.splice(0)) answer()
  }
}

/** A peer, and what is sent to it. */
class Lab implements Sender {
  /** Bytes that were written, and how many of them the kernel has not taken. */
  written = 100_000
  waiting = 50_000
  isDestroyed = false
  /** When it was told that its peer has stalled. */
  readonly stalledAt: Array<number> = []
  readonly queues = new TestQueues(longest)
  readonly socket: Socket = Object.defineProperties(new Socket(), {
    bytesWritten: { get: () => this.written },
    writableLength: { get: () => this.waiting },
    destroyed: { get: () => this.isDestroyed },
  })
  private readonly begun = performance.now()
  readonly clock: SendClock

  constructor(milliseconds = longest) {
    const limit: SendLimit = {
      milliseconds,
      rounds: new Deadlines(milliseconds / 4),
      queues: this.queues,
      stop: () => {},
    }
    this.clock = new SendClock(this, limit)
    this.clock.start()
  }

  readonly stalled = (): void => void this.stalledAt.push(performance.now() - this.begun)
}

describe("a peer that is sent something", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("has stalled after the limit where it takes nothing and the system tells no more; once", () => {
    const lab = new Lab()
    vi.advanceTimersByTime(longest - 1)
    assert.deepStrictEqual(lab.stalledAt, [])
    vi.advanceTimersByTime(10 * longest)
    assert.deepStrictEqual(lab.stalledAt, [longest])
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("has stalled within one and a half times the limit where the system says that it acknowledges nothing", () => {
    const lab = new Lab()
    lab.queues.unacknowledged = 30_000
    vi.advanceTimersByTime(longest)
    assert.deepStrictEqual(lab.stalledAt, [])
    vi.advanceTimersByTime(longest / 2)
    // It was first heard of at the first look.
    assert.deepStrictEqual(lab.stalledAt, [longest + look])
  })

  it("has not stalled as long as the kernel takes a byte in the time", () => {
    const lab = new Lab()
    for (let time = 0; time < 10; time++) {
      vi.advanceTimersByTime(longest - look)
      lab.waiting--
    }
    assert.deepStrictEqual(lab.stalledAt, [])
    vi.advanceTimersByTime(longest + look)
    assert.lengthOf(lab.stalledAt, 1)
  })

  it("has taken nothing where more is written, and all of it waits", () => {
    const lab = new Lab()
    for (let time = 0; time < 4; time++) {
      vi.advanceTimersByTime(look)
      lab.written += 1_000
      lab.waiting += 1_000
    }
    assert.lengthOf(lab.stalledAt, 1)
  })

  it("has not stalled as long as it acknowledges a byte in the time, although the kernel takes none", () => {
    const lab = new Lab()
    lab.queues.unacknowledged = 30_000
    for (let time = 0; time < 10; time++) {
      vi.advanceTimersByTime(longest - look)
      lab.queues.unacknowledged--
    }
    assert.deepStrictEqual(lab.stalledAt, [])
    vi.advanceTimersByTime(longest + 2 * look)
    assert.lengthOf(lab.stalledAt, 1)
  })

  it("is watched no more once everything is the kernel's, and anew where something waits again", () => {
    const lab = new Lab()
    vi.advanceTimersByTime(longest - 1)
    lab.waiting = 0
    vi.advanceTimersByTime(look)
    assert.strictEqual(vi.getTimerCount(), 0)
    lab.waiting = 10
    lab.clock.start()
    vi.advanceTimersByTime(longest - 1)
    assert.deepStrictEqual(lab.stalledAt, [])
    vi.advanceTimersByTime(1)
    assert.lengthOf(lab.stalledAt, 1)
  })

  it("is not watched from the beginning again where more has to wait", () => {
    const lab = new Lab()
    for (let time = 0; time < 8; time++) {
      vi.advanceTimersByTime(longest / 8)
      lab.clock.start()
    }
    assert.deepStrictEqual(lab.stalledAt, [longest])
  })

  it("is asked after once at a time, and forgotten where it is gone before the kernel tells", () => {
    const lab = new Lab()
    lab.queues.isSlow = true
    vi.advanceTimersByTime(look)
    lab.clock.start()
    assert.strictEqual(vi.getTimerCount(), 0)
    lab.queues.tell()
    assert.strictEqual(vi.getTimerCount(), 1)
    vi.advanceTimersByTime(look)
    lab.isDestroyed = true
    lab.queues.tell()
    vi.advanceTimersByTime(10 * longest)
    assert.deepStrictEqual(lab.stalledAt, [])
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("may take nothing for ever where there is no limit", () => {
    const lab = new Lab(0)
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.deepStrictEqual(lab.stalledAt, [])
  })
})
