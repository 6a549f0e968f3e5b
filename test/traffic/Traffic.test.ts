import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { defaultSettings, ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { LiveSession, type SessionEnd } from "../../src/sessions/LiveSession.js"
import { type LiveTraffic, Traffic } from "../../src/traffic/Traffic.js"
import { nowhere } from "../support/Nowhere.js"

const layerTraffic = Layer.provide(Traffic.layer, ProxyConfig.layerOf(defaultSettings))

/** A piece of traffic that takes some time to be told, and may look at what else there is then. */
class Piece implements LiveTraffic {
  readonly kind = "websocket"
  readonly method = "GET"
  readonly status = 101
  readonly isStreaming = false
  readonly messagesIn = 0
  readonly messagesOut = 0
  serial = 0
  registryIndex = -1
  sessionIndex = -1
  readonly requestId = "r"
  readonly target = "/one/"
  readonly byHost = false
  readonly clientAddress = "127.0.0.1"
  readonly begun = 0
  readonly since = 0
  readonly bytesIn = 0
  readonly bytesOut = 0
  readonly isServed = true
  readonly hasFailed = false
  readonly clientSigns = 0
  readonly serverSigns = 0
  readonly pings = 0
  clientSignsSeen = 0
  serverSignsSeen = 0
  activeAt = 0
  isIgnored = false
  readonly told: Array<SessionEnd | "again"> = []

  constructor(
    readonly session: LiveSession,
    private readonly whenTold: (piece: Piece) => void,
  ) {}

  sessionEnded(end: SessionEnd): void {
    this.told.push(end)
    this.whenTold(this)
  }

  othersTold(): void {
    this.told.push("again")
  }

  close(): void {
    this.whenTold(this)
  }

  closeNow(): void {
    this.whenTold(this)
  }

  cut(): void {}
}

/** A lifetime with so many pieces of live traffic. */
const busySession = (traffic: typeof Traffic.Service, id: string, count: number, whenTold: (piece: Piece) => void) => {
  const session = new LiveSession(id, nowhere)
  const pieces = Array.from({ length: count }, () => new Piece(session, whenTold))
  for (const piece of pieces) traffic.open(piece)
  return { session, pieces }
}

const nextTurn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

const busyFor = (milliseconds: number): void => {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

const toldOf = (pieces: ReadonlyArray<Piece>): number => pieces.filter(({ told }) => told.length > 0).length

describe("the traffic of a session that ends", () => {
  it.live("is told once each, and that of no other session", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const [one, other] = ["one", "other"].map((id) => busySession(traffic, id, 100, traffic.close))
      one?.session.end("removed")
      while ((yield* traffic.count) > 100) yield* nextTurn
      assert.deepStrictEqual(
        one?.pieces.map(({ told }) => told),
        Array.from({ length: 100 }, () => ["removed"]),
      )
      assert.strictEqual(toldOf(other?.pieces ?? []), 0)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is told a few at a time, so that others have their turns of the event loop", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const sessions = Array.from({ length: 10 }, (_, index) =>
        busySession(traffic, `busy-${index}`, 10, () => busyFor(0.5)),
      )
      const all = sessions.flatMap(({ pieces }) => pieces)
      for (const { session } of sessions) session.end("removed")
      const turns = [toldOf(all)]
      while (toldOf(all) < all.length) {
        yield* nextTurn
        turns.push(toldOf(all))
      }
      const largest = Math.max(...turns.map((told, index) => told - (turns[index - 1] ?? 0)))
      assert.isAtMost(largest, 10)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is not looked for among that of others", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const crowd = new LiveSession("crowd", nowhere)
      let looks = 0
      for (let index = 0; index < 1_000; index++) {
        const piece = new Piece(crowd, () => {})
        Object.defineProperty(piece, "session", {
          get: () => {
            looks++
            return crowd
          },
        })
        traffic.open(piece)
      }
      const { session, pieces } = busySession(traffic, "one", 1, traffic.close)
      looks = 0
      session.end("removed")
      assert.strictEqual(toldOf(pieces), 1)
      assert.strictEqual(looks, 0)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is not told where it has come to its end before its turn", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const { session, pieces } = busySession(traffic, "one", 50, (piece) => {
        // Whoever is told first takes all others with it.
        for (const each of pieces) traffic.close(each)
        traffic.close(piece)
      })
      session.end("removed")
      while ((yield* traffic.count) > 0) yield* nextTurn
      yield* nextTurn
      assert.strictEqual(toldOf(pieces), 1)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is told at once where it comes after the end", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const { session } = busySession(traffic, "one", 100, () => busyFor(1))
      session.end("retargeted")
      const late = new Piece(session, traffic.close)
      traffic.open(late)
      assert.deepStrictEqual(late.told, ["retargeted"])
    }).pipe(Effect.provide(layerTraffic)),
  )
})

describe("what follows from the end of sessions", () => {
  it.live("waits until all whose sessions have ended with it are told", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const sessions = [1, 2, 3].map((id) => busySession(traffic, String(id), 20, () => busyFor(0.2)))
      const all = sessions.flatMap(({ pieces }) => pieces)
      for (const { session } of sessions) session.end("removed")
      while (toldOf(all) < all.length) {
        assert.isTrue(all.every(({ told }) => told.length < 2))
        yield* nextTurn
      }
      while (all.some(({ told }) => told.length < 2)) yield* nextTurn
      assert.isTrue(all.every(({ told }) => told.join() === "removed,again"))
      for (const piece of all) traffic.close(piece)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is let go a few at a time", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const { session, pieces } = busySession(traffic, "one", 200, () => {})
      session.end("removed")
      const released = () => pieces.filter(({ told }) => told.length > 1).length
      let largest = 0
      for (let before = released(); before < pieces.length; before = released()) {
        yield* nextTurn
        largest = Math.max(largest, released() - before)
      }
      assert.isAtMost(largest, 16)
      for (const piece of pieces) traffic.close(piece)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("follows at once where there is one", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const { session, pieces } = busySession(traffic, "one", 1, () => {})
      session.end("removed")
      assert.deepStrictEqual(pieces[0]?.told, ["removed", "again"])
      for (const piece of pieces) traffic.close(piece)
    }).pipe(Effect.provide(layerTraffic)),
  )
})

describe("closing all WebSockets", () => {
  it.live("is said to every one within its time, however many there are and however short it is", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const gone = new Set<Piece>()
      busySession(traffic, "one", 5_000, (piece) => void gone.add(piece))
      // So many timers would take five times as long.
      yield* Effect.timeoutOption(traffic.closeWebSockets(1_000), 3_000)
      assert.strictEqual(gone.size, 5_000)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is said to all at once where there is no time", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const gone = new Set<Piece>()
      busySession(traffic, "one", 10, (piece) => void gone.add(piece))
      yield* traffic.closeWebSockets(0)
      assert.strictEqual(gone.size, 10)
    }).pipe(Effect.provide(layerTraffic)),
  )
})

/** Whether nothing is under way, as far as the event loop has told by its next turn. */
const isIdle = (traffic: typeof Traffic.Service) =>
  Effect.raceFirst(Effect.as(traffic.idle, true), Effect.as(nextTurn, false))

describe("the wait until nothing is under way", () => {
  it.live("is over for all who wait once the last piece is closed, and not before", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const { pieces } = busySession(traffic, "one", 2, () => {})
      const waiting = yield* Effect.forkAll(Array.from({ length: 3 }, () => traffic.idle))
      const [first, last] = pieces
      if (first !== undefined) traffic.close(first)
      yield* nextTurn
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiting)))
      if (last !== undefined) traffic.close(last)
      yield* Fiber.join(waiting)
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("begins anew with the next piece, and is none before the first", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      assert.isTrue(yield* isIdle(traffic))
      for (let round = 0; round < 2; round++) {
        const { pieces } = busySession(traffic, "one", 1, () => {})
        assert.isFalse(yield* isIdle(traffic))
        for (const piece of pieces) traffic.close(piece)
        assert.isTrue(yield* isIdle(traffic))
      }
    }).pipe(Effect.provide(layerTraffic)),
  )

  it.live("is none where the session of what came has ended, which ends it at once", () =>
    Effect.gen(function* () {
      const traffic = yield* Traffic
      const session = new LiveSession("one", nowhere)
      session.end("removed")
      traffic.open(new Piece(session, traffic.close))
      assert.isTrue(yield* isIdle(traffic))
    }).pipe(Effect.provide(layerTraffic)),
  )
})
