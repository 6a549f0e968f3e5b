import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { FastCheck as fc } from "effect"
import { Socket } from "node:net"
import { type DialError, DownstreamUnreachable } from "../../src/domain/ProxyError.js"
import { Connection } from "../../src/downstream/Connection.js"
import { Holds, type HoldWaiter } from "../../src/downstream/Holds.js"
import type { Lease, LeaseWaiter } from "../../src/downstream/LeaseQueue.js"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { nowhere } from "../support/Nowhere.js"

const because = (reason: DownstreamUnreachable["reason"]) => new DownstreamUnreachable({ reason, address: "h:1" })
const refused = because("refused")

/** Tries to connect that a test lets fail or succeed, in order. */
class Tries {
  readonly open: Array<LeaseWaiter> = []
  made = 0
  mostAtOnce = 0

  readonly lease = (_: LiveSession, listener: LeaseWaiter): (() => void) => {
    this.made++
    this.open.push(listener)
    this.mostAtOnce = Math.max(this.mostAtOnce, this.open.length)
    return () => void this.take(listener)
  }

  fail(error: DialError = refused): void {
    const [first] = this.open
    if (first === undefined) throw new Error("nobody tries")
    this.take(first)
    first.refused(error)
  }

  succeed(): void {
    const [first] = this.open
    if (first === undefined) throw new Error("nobody tries")
    this.take(first)
    first.leased({ connection: new Connection(new Socket()), reused: false, dialTime: 1, queueTime: 0 })
  }

  private take(listener: LeaseWaiter): void {
    const index = this.open.indexOf(listener)
    if (index >= 0) this.open.splice(index, 1)
  }
}

/** Somebody who wants a connection. */
class Client implements HoldWaiter {
  readonly mayReuse = true
  outcome: Lease | DialError | undefined
  heldFor: number | undefined
  constructor(readonly mayHold = true) {}
  readonly leased = (lease: Lease): void => void (this.outcome = lease)
  readonly refused = (error: DialError): void => void (this.outcome = error)
  readonly held = (milliseconds: number): void => void (this.heldFor = milliseconds)
}

const isLeased = ({ outcome }: Client): boolean => outcome !== undefined && "connection" in outcome
const tagOf = ({ outcome }: Client) => (outcome !== undefined && "_tag" in outcome ? outcome._tag : undefined)

const start = (limits = { maxHeld: Infinity, maxHeldPerSession: Infinity }) => {
  const tries = new Tries()
  const holds = new Holds(limits, tries.lease)
  const session = new LiveSession("app", nowhere)
  const ask = (client = new Client(), milliseconds = 10_000, of = session) => ({
    client,
    giveUp: holds.lease(of, client, milliseconds),
  })
  return { tries, holds, session, ask }
}

describe("Holds", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it("cost nothing while the server is there", () => {
    const { ask, holds, tries } = start()
    const { client } = ask()
    tries.succeed()
    assert.isTrue(isLeased(client))
    assert.isUndefined(client.heldFor)
    assert.deepStrictEqual([holds.size, vi.getTimerCount()], [0, 0])
  })

  it("try again with pauses that grow up to a second, and tell how long that took", () => {
    const { ask, session, tries } = start()
    const { client } = ask()
    const pauses: Array<number> = []
    for (let since = performance.now(); pauses.length < 8; since = performance.now()) {
      tries.fail()
      while (tries.open.length === 0) vi.advanceTimersByTime(1)
      pauses.push(performance.now() - since)
    }
    for (const [index, pause] of pauses.entries())
      assert.approximately(pause, Math.min(1_000, 50 * 2 ** index), Math.min(1_000, 50 * 2 ** index) * 0.2 + 2)
    assert.strictEqual(session.health.failures, 8)
    tries.succeed()
    assert.isTrue(isLeased(client))
    assert.approximately(
      client.heldFor ?? 0,
      pauses.reduce((sum, pause) => sum + pause, 0),
      20,
    )
  })

  it("refuse with the last error when the time is over, and try no more", () => {
    const { ask, holds, tries } = start()
    const { client } = ask(new Client(), 300)
    tries.fail()
    vi.advanceTimersByTime(100)
    tries.fail(because("dns"))
    vi.advanceTimersByTime(1_000)
    assert.deepInclude(client.outcome, { _tag: "DownstreamUnreachable", reason: "dns" })
    assert.deepStrictEqual([holds.size, tries.open.length], [0, 0])
    const { made } = tries
    vi.advanceTimersByTime(10_000)
    assert.strictEqual(tries.made, made)
  })

  it("do not hold what cannot wait, nor where waiting is of no use", () => {
    const { ask, holds, tries } = start()
    const { client: hasBegun } = ask(new Client(false))
    tries.fail()
    assert.strictEqual(tagOf(hasBegun), "DownstreamUnreachable")
    for (const reason of ["denied", "tls", "certificate", "failed"] as const) {
      const { client } = ask()
      tries.fail(because(reason))
      assert.deepInclude(client.outcome, { reason })
    }
    assert.strictEqual(holds.size, 0)
  })

  it("do not wait for the server of a session that is over, whoever has not noticed", () => {
    const { ask, session, tries } = start()
    const { client } = ask()
    tries.fail()
    session.end("removed")
    vi.advanceTimersByTime(100)
    tries.fail()
    assert.strictEqual(tagOf(client), "DownstreamUnreachable")
    vi.advanceTimersByTime(10_000)
    assert.strictEqual(tries.made, 2)
  })

  it("let one try for all who wait, and more and more once there is a server", () => {
    const { ask, tries } = start()
    const clients = [ask().client]
    tries.fail()
    for (let count = 0; count < 99; count++) clients.push(ask().client)
    assert.strictEqual(tries.open.length, 0)
    vi.advanceTimersByTime(61)
    assert.deepStrictEqual([tries.made, tries.open.length], [2, 1])
    const tried: Array<number> = []
    while (tries.open.length > 0) {
      tried.push(tries.open.length)
      for (let count = tries.open.length; count > 0; count--) tries.succeed()
    }
    assert.deepStrictEqual(tried, [1, 2, 4, 8, 16, 32, 37])
    assert.isTrue(clients.every(isLeased))
    assert.strictEqual(tries.made, 101)
  })

  it("hold so many of a session and so many in all, and refuse one more", () => {
    const { ask, tries } = start({ maxHeld: 3, maxHeldPerSession: 2 })
    const other = new LiveSession("other", nowhere)
    const all = [ask(), ask(), ask(), ask(new Client(), 10_000, other), ask(new Client(), 10_000, other)]
    while (tries.open.length > 0) tries.fail()
    assert.deepStrictEqual(
      all.map(({ client }) => tagOf(client)),
      [undefined, undefined, "SessionLimit", undefined, "Overloaded"],
    )
    for (const { giveUp } of all) giveUp()
  })

  it("keep nothing of those who give up, whenever they do", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom("ask", "fail", "succeed", "wait"), fc.nat(20)), { maxLength: 60 }),
        (steps) => {
          const { ask, holds, tries } = start()
          const asked: Array<ReturnType<typeof ask>> = []
          for (const step of steps) {
            if (step === "ask") asked.push(ask())
            else if (step === "wait") vi.advanceTimersByTime(700)
            else if (step === "fail" && tries.open.length > 0) tries.fail()
            else if (step === "succeed" && tries.open.length > 0) tries.succeed()
            else if (typeof step === "number") asked[step]?.giveUp()
          }
          for (const { giveUp } of asked) giveUp()
          assert.deepStrictEqual([holds.size, tries.open.length], [0, 0])
          holds.close()
          assert.strictEqual(vi.getTimerCount(), 0)
        },
      ),
    )
  })
})
