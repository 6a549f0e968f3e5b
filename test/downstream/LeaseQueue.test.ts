import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { LeaseQueue, type LeaseSource } from "../../src/downstream/LeaseQueue.js"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { nowhere } from "../support/Nowhere.js"

const session = (id: string): LiveSession => new LiveSession(id, nowhere)

const limits = (perSession: number, inAll: number) => ({
  maxDownstreamConnectionsPerSession: perSession,
  maxDownstreamConnections: inAll,
  queueTimeout: 0,
})

/** Writes down for whom a connection is dialled. */
class Dials implements LeaseSource {
  readonly made: Array<LiveSession> = []
  readonly dial = (one: LiveSession): (() => void) => {
    this.made.push(one)
    return () => {}
  }
  readonly makeRoom = (): void => {}
  readonly waited = (): void => {}
}

const seeker = { mayReuse: true, leased: () => {}, refused: () => {} }

/** The rule in as few words as it can be said: who came first of those that may have a connection now. */
class Model {
  readonly made: Array<number> = []
  private waiting: Array<number> = []
  private readonly counts = new Map<number, number>()

  constructor(
    private readonly perSession: number,
    private readonly inAll: number,
  ) {}

  open(id: number): void {
    this.waiting.push(id)
    this.serve()
  }

  close(id: number): boolean {
    if (this.of(id) === 0) return false
    this.counts.set(id, this.of(id) - 1)
    this.serve()
    return true
  }

  wantsRoom(id: number): boolean {
    const isAllTaken = this.made.length > 0 && this.total >= this.inAll
    return this.waiting.some((other) => other === id || (isAllTaken && this.of(other) < this.perSession))
  }

  private get total(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0)
  }

  private of(id: number): number {
    return this.counts.get(id) ?? 0
  }

  private serve(): void {
    for (;;) {
      const index = this.waiting.findIndex((id) => this.total < this.inAll && this.of(id) < this.perSession)
      const [id] = index < 0 ? [] : this.waiting.splice(index, 1)
      if (id === undefined) return
      this.counts.set(id, this.of(id) + 1)
      this.made.push(id)
    }
  }
}

/** How long `count` connections of one session take to come and go while so many wait for another, in milliseconds. */
const timeBeside = (waiting: number, count: number): number => {
  const queue = new LeaseQueue(limits(1, 2), new Dials())
  const [crowd, other] = [session("crowd"), session("other")]
  for (let index = 0; index <= waiting; index++) queue.open(crowd, seeker)
  const begun = performance.now()
  for (let index = 0; index < count; index++) {
    queue.open(other, seeker)
    queue.wantsRoom(other)
    queue.closed(other)
  }
  return performance.now() - begun
}

describe("LeaseQueue", () => {
  it("serves who came first of those that may have a connection, whatever is opened and closed", () => {
    const op = fc.record({ id: fc.integer({ min: 0, max: 3 }), opens: fc.boolean() })
    const sizes = fc.integer({ min: 1, max: 4 })
    fc.assert(
      fc.property(fc.array(op, { maxLength: 60 }), sizes, sizes, (ops, perSession, inAll) => {
        const dials = new Dials()
        const sessions = [0, 1, 2, 3].map((id) => session(String(id)))
        const queue = new LeaseQueue(limits(perSession, inAll), dials)
        const model = new Model(perSession, inAll)
        for (const { id, opens } of ops) {
          const one = sessions[id]
          if (one === undefined) continue
          if (opens) {
            queue.open(one, seeker)
            model.open(id)
          } else if (model.close(id)) {
            queue.closed(one)
          }
          assert.deepStrictEqual(
            dials.made.map((made) => sessions.indexOf(made)),
            model.made,
          )
          for (const [other, each] of sessions.entries())
            assert.strictEqual(queue.wantsRoom(each), model.wantsRoom(other))
        }
      }),
    )
  })

  it("passes over who has given up", () => {
    const dials = new Dials()
    const queue = new LeaseQueue(limits(1, 2), dials)
    const sessions = ["one", "two", "three"].map(session)
    const [one, two, three] = sessions
    if (one === undefined || two === undefined || three === undefined) return
    queue.open(one, seeker)
    queue.open(two, seeker)
    const giveUps = Array.from({ length: 1_000 }, () => queue.open(three, seeker))
    const last = queue.open(three, seeker)
    for (const giveUp of giveUps) giveUp()
    queue.closed(one)
    assert.deepStrictEqual(dials.made, [one, two, three])
    last()
    queue.open(one, seeker)
    queue.closed(two)
    assert.deepStrictEqual(dials.made, [one, two, three, one])
  })

  it("takes no longer for one session the more wait for another", () => {
    timeBeside(100, 2_000)
    const few = timeBeside(10, 2_000)
    assert.isBelow(timeBeside(10_000, 2_000), 50 * Math.max(1, few))
  })
})
