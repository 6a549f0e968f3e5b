import { describe, expect, it } from "@effect/vitest"
import {
  DownstreamTimeout,
  DownstreamUnreachable,
  SessionNotFound,
  StoreUnavailable,
  type ProxyError,
} from "../../src/domain/ProxyError.js"
import { FailureRing } from "../../src/telemetry/ErrorRing.js"
import { recordWith } from "./Records.js"

const unreachable = new DownstreamUnreachable({ reason: "refused", address: "10.0.0.7:9000" })
const lost = new StoreUnavailable({ problem: "the file is gone", hint: "put it back" })
const unknown = new SessionNotFound({ sessionId: "nobody" })

let clock = 1_000_000

/** A ring, and what adds a failure to it; each is a millisecond later than the one before. */
const newRing = () => {
  const ring = new FailureRing("redact")
  const fail = (session: string, error: ProxyError, requestId = `r${clock}`, target = `/${session}/x`): void =>
    ring.write(
      recordWith({ sessionId: session, error, requestId, target, status: 502, since: clock++, milliseconds: 0 }),
    )
  return { ring, fail }
}

describe("the ring of failures", () => {
  it("tells the latest first, with cause, reason, server, request id and redacted target", () => {
    const { ring, fail } = newRing()
    fail("alice", unreachable, "first", "/alice/x?token=hunter2")
    fail("bob", new DownstreamTimeout({ address: "10.0.0.8:9000", milliseconds: 30_000 }), "second")
    expect(ring.find().map(({ requestId }) => requestId)).toEqual(["second", "first"])
    expect(ring.find({ session: "alice" })).toMatchObject([
      {
        session: "alice",
        code: "downstream_unreachable",
        fault: "downstream",
        reason: "refused",
        status: 502,
        requestId: "first",
        method: "GET",
        target: "/alice/x?token=REDACTED",
        server: "10.0.0.7:9000",
      },
    ])
    expect(ring.find({ requestId: "second" })).toMatchObject([{ session: "bob", code: "downstream_timeout" }])
    expect(ring.find({ limit: 1 })).toHaveLength(1)
    expect(ring.find({ requestId: "third" })).toEqual([])
  })

  it("wants failures alone, and keeps none that is a client's fault", () => {
    const { ring, fail } = newRing()
    expect(ring.wants("alice", false)).toBe(false)
    expect(ring.wants("alice", true)).toBe(true)
    fail("alice", unreachable)
    for (let count = 0; count < 1_000; count++) fail(`nobody${count}`, unknown)
    expect(ring.find().map(({ session }) => session)).toEqual(["alice"])
  })

  it("keeps two hundred, and fifty of one session", () => {
    const { ring, fail } = newRing()
    for (let count = 0; count < 150; count++) fail(`s${count}`, unreachable)
    for (let count = 0; count < 1_000; count++) fail("busy", unreachable, `busy${count}`)
    expect(ring.find()).toHaveLength(200)
    expect(ring.find({ session: "busy" }).map(({ requestId }) => requestId)).toEqual(
      Array.from({ length: 50 }, (_, index) => `busy${999 - index}`),
    )
    expect(ring.find({ session: "s0" })).toHaveLength(1)
    fail("late", unreachable)
    expect(ring.find()).toHaveLength(200)
    expect(ring.find({ session: "s0" })).toEqual([])
  })

  it("keeps fifty of what is the proxy's own fault, whichever session a stranger asks for", () => {
    const { ring, fail } = newRing()
    fail("alice", unreachable)
    for (let count = 0; count < 1_000; count++) fail(`any${count}`, lost)
    expect(ring.find()).toHaveLength(51)
    expect(ring.find({ session: "alice" })).toHaveLength(1)
  })
})
