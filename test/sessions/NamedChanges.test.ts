import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, FastCheck as fc, Fiber, Layer, Option } from "effect"
import { nextTurn } from "../../src/clock/NextTurn.js"
import { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { Session } from "../../src/domain/Session.js"
import { noControl } from "../../src/domain/SessionControl.js"
import { defaultPolicy } from "../../src/domain/SessionPolicy.js"
import type { LiveSession, SessionEnd } from "../../src/sessions/LiveSession.js"
import { LiveSessions } from "../../src/sessions/LiveSessions.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import { request } from "../support/HttpText.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"
import { startTelling, type TellingStore } from "./TellingStore.js"

const at = (id: string, port = 9001) => ({ id, url: `http://127.0.0.1:${port}`, status: "active" })
const sessionOf = (id: string) =>
  new Session({ ...at(id), policy: defaultPolicy, control: noControl, createdAt: null, updatedAt: null })
const away = new StoreUnavailable({ problem: "the database is away", hint: "Start it." })

/** Completes with the reason when the lifetime ends. */
const endOf = (live: LiveSession): Effect.Effect<Deferred.Deferred<SessionEnd>> =>
  Effect.map(Deferred.make<SessionEnd>(), (ended) => {
    live.attach({ sessionEnded: (reason) => Deferred.unsafeDone(ended, Effect.succeed(reason)) })
    return ended
  })

/** Waits until this holds, for some turns of the event loop. */
const until = (holds: () => boolean, turns = 1_000): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (holds()) return Effect.void
    return turns === 0 ? Effect.dieMessage("it never came") : Effect.zipRight(nextTurn, until(holds, turns - 1))
  })

/** The next answer that is held, once it is. */
const nextHeld = (store: TellingStore) =>
  Effect.flatMap(
    until(() => store.held.length > 0),
    () => Effect.fromNullable(store.held.shift()),
  ).pipe(Effect.orDie)

// The clock of these tests stands still: what happens in them needs no time to pass.
describe("a store that names what has changed", () => {
  it.scoped("has those sessions read again, and no others", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      for (const id of ["a", "b", "c"]) yield* rows.add(at(id))
      const [, b] = [yield* directory.lookup("a"), yield* directory.lookup("b")]
      yield* rows.set("a", at("a", 9002))
      store.asked.length = 0
      store.tell(["a", "c", "nobody"])
      assert.strictEqual(yield* directory.lookup("b"), b)
      assert.strictEqual((yield* directory.lookup("a")).target.port, 9002)
      yield* directory.lookup("a")
      assert.deepStrictEqual(store.asked, [["a"]])
      store.tell()
      yield* directory.lookup("b")
      assert.deepStrictEqual(store.asked, [["a"], ["b"]])
    }),
  )

  it.scoped("has live traffic looked after at once, and only where it is concerned", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      for (const id of ["a", "b", "c"]) yield* rows.add(at(id))
      const ended = yield* endOf(yield* directory.lookup("a"))
      const other = yield* directory.lookup("b")
      yield* endOf(other)
      yield* directory.lookup("c")
      store.asked.length = 0
      yield* rows.kill("a")
      store.tell(["a", "c"])
      assert.strictEqual(yield* Deferred.await(ended), "killed")
      assert.deepStrictEqual(store.asked, [["a"]])
      assert.isUndefined(other.ended)
    }),
  )

  it.scoped("names ids letter by letter, also where their case does not count", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling({ idCase: "fold" })
      yield* rows.add(at("Aa"))
      const live = yield* directory.lookup("aa")
      const ended = yield* endOf(live)
      yield* rows.add(at("AA", 9002))
      store.tell(["AA"])
      assert.strictEqual((yield* Effect.flip(directory.lookup("aA")))._tag, "SessionPolicyInvalid")
      assert.isUndefined(live.ended)
      yield* rows.remove("Aa")
      store.tell(["Aa"])
      assert.strictEqual(yield* Deferred.await(ended), "retargeted")
    }),
  )
})

describe("a session that is named while", () => {
  it.scoped("its row is read is read again", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      yield* rows.add(at("a"))
      store.holds = true
      const first = yield* Effect.fork(directory.lookup("a"))
      const old = yield* nextHeld(store)
      yield* rows.set("a", at("a", 9002))
      store.tell(["a"])
      const second = yield* Effect.fork(directory.lookup("a"))
      yield* nextTurn
      store.holds = false
      yield* old.release
      const before = yield* Fiber.join(first)
      const after = yield* Fiber.join(second)
      assert.deepStrictEqual([before.target.port, after.target.port], [9001, 9002])
      assert.strictEqual(before.ended, "retargeted")
      assert.deepStrictEqual(store.asked, [["a"], ["a"]])
    }),
  )

  it.scoped("nobody knows it, and its row is looked for, is looked for again", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      store.holds = true
      const first = yield* Effect.fork(Effect.flip(directory.lookup("a")))
      const old = yield* nextHeld(store)
      yield* rows.add(at("a"))
      store.tell(["a"])
      const second = yield* Effect.fork(directory.lookup("a"))
      yield* nextTurn
      store.holds = false
      yield* old.release
      assert.strictEqual((yield* Fiber.join(first))._tag, "SessionNotFound")
      assert.strictEqual((yield* Fiber.join(second)).id, "a")
    }),
  )

  it.scoped("live traffic is looked after is looked after again", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      for (const id of ["a", "b"]) yield* rows.add(at(id))
      const ended = yield* endOf(yield* directory.lookup("a"))
      const other = yield* directory.lookup("b")
      yield* endOf(other)
      store.holds = true
      store.tell()
      const old = yield* nextHeld(store)
      assert.deepStrictEqual([...old.ids].sort(), ["a", "b"])
      yield* rows.kill("a")
      store.tell(["a"])
      store.asked.length = 0
      store.holds = false
      yield* old.release
      yield* nextTurn
      yield* nextTurn
      // The other one was not named, so what was read of it counts; this one is read again by who asks for it.
      assert.strictEqual(yield* directory.lookup("b"), other)
      yield* directory.lookup("a")
      assert.strictEqual(yield* Deferred.await(ended), "killed")
      assert.deepStrictEqual(store.asked, [["a"]])
    }),
  )

  it.live("live traffic is looked after is looked after again, while nobody asks", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { directory, rows, store } = yield* startTelling()
        yield* rows.add(at("a"))
        const ended = yield* endOf(yield* directory.lookup("a"))
        store.holds = true
        store.tell()
        const old = yield* nextHeld(store)
        yield* rows.kill("a")
        store.tell(["a"])
        store.holds = false
        yield* old.release
        assert.strictEqual(yield* Deferred.await(ended), "killed")
      }),
    ),
  )

  it("it is forgotten, and still held by somebody, is read again when something hangs on it", () => {
    const told: Array<readonly [string, boolean]> = []
    const watcher = {
      watched: (key: string, current: boolean) => void told.push([key, current]),
      noneWatched: () => {},
    }
    const sessions = new LiveSessions(1, watcher)
    const row = (id: string) => Option.some({ session: sessionOf(id) })
    const held = Exit.getOrElse(sessions.update("a", row("a"), 1), () => undefined)
    sessions.update("b", row("b"), 1)
    assert.isUndefined(sessions.lastKnown("a"))
    assert.isFalse(sessions.outdate("a", 2))
    held?.attach({ sessionEnded: () => {} })
    assert.deepStrictEqual(told, [["a", false]])
    assert.deepStrictEqual(sessions.outdated(), ["a"])
    sessions.refresh("a", row("a"), 2)
    assert.deepStrictEqual(sessions.outdated(), [])
  })
})

describe("what is known", () => {
  const anEvent = fc.oneof(
    fc.record({
      kind: fc.constant("write" as const),
      id: fc.constantFrom("a", "b"),
      port: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({
      kind: fc.constantFrom("remove" as const, "kill" as const, "look" as const, "watch" as const),
      id: fc.constantFrom("a", "b"),
    }),
    fc.record({ kind: fc.constant("release" as const), which: fc.nat(5) }),
    fc.record({ kind: fc.constant("all" as const) }),
  )

  /** Whatever order answers come in, after the last of them the directory says what the table says. */
  const staysTrue = (events: ReadonlyArray<typeof anEvent extends fc.Arbitrary<infer A> ? A : never>) =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      store.holds = true
      const askers: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
      for (const event of events) {
        if (event.kind === "write") yield* rows.put(at(event.id, event.port))
        if (event.kind === "remove") yield* Effect.ignore(rows.remove(event.id))
        if (event.kind === "kill") yield* Effect.ignore(rows.kill(event.id))
        if (event.kind === "all") store.tell()
        else if (event.kind === "release") {
          const [one] = store.held.splice(event.which % Math.max(1, store.held.length), 1)
          yield* one?.release ?? Effect.void
        } else if (event.kind === "look" || event.kind === "watch") {
          const found = Effect.tap(directory.lookup(event.id), (live) =>
            event.kind === "watch" ? endOf(live) : Effect.void,
          )
          askers.push(yield* Effect.fork(Effect.exit(found)))
        } else store.tell([event.id])
        yield* nextTurn
      }
      store.holds = false
      while (store.held.length > 0) yield* (yield* nextHeld(store)).release
      yield* Fiber.joinAll(askers)
      for (const id of ["a", "b"]) {
        const row = Option.getOrUndefined(yield* rows.find(id))
        const answer = yield* Effect.option(directory.lookup(id))
        const port = Option.getOrUndefined(Option.map(answer, ({ target }) => target.port))
        assert.strictEqual(port === undefined ? undefined : `http://127.0.0.1:${port}`, row?.session.url)
        assert.isUndefined(Option.getOrUndefined(answer)?.ended)
      }
    }).pipe(Effect.scoped)

  it.live("is what the store says, in whatever order its answers come", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(anEvent, { maxLength: 14 }), (events) => Effect.runPromise(staysTrue(events))),
        { numRuns: 150 },
      ),
    ),
  )
})

describe("while a store that tells is away", () => {
  it.scoped("sessions that are known go on, and others are refused at once", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      for (const id of ["a", "b"]) yield* rows.add(at(id))
      const live = yield* directory.lookup("a")
      store.leave(away, 86_400_000)
      assert.strictEqual(yield* directory.lookup("a"), live)
      assert.strictEqual(yield* Effect.flip(directory.lookup("b")), away)
      assert.deepInclude(directory.numbers(), { isReadable: false, failures: 1 })
      assert.isAtLeast(directory.numbers().age, 86_400_000)
      yield* rows.remove("a")
      store.comeBack()
      assert.strictEqual((yield* Effect.flip(directory.lookup("a")))._tag, "SessionNotFound")
      assert.isTrue(directory.numbers().isReadable)
      assert.isBelow(directory.numbers().age, 1_000)
    }),
  )

  it.scoped("sessions that were to be read again are as they were known", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      yield* rows.add(at("a"))
      const live = yield* directory.lookup("a")
      store.tell()
      store.leave(away)
      assert.strictEqual(yield* directory.lookup("a"), live)
      const asked = store.asked.length
      // Whether it is back is found out by somebody else: nobody waits for that.
      assert.strictEqual(yield* directory.lookup("a"), live)
      assert.strictEqual(store.asked.length, asked)
    }),
  )

  it.scoped(
    "a session that was named before, and not read since, is refused: something else is known to be true of it",
    () =>
      Effect.gen(function* () {
        const { directory, rows, store } = yield* startTelling()
        for (const id of ["a", "b"]) yield* rows.add(at(id))
        yield* directory.lookup("a")
        const other = yield* directory.lookup("b")
        yield* rows.set("a", at("a", 9002))
        store.tell(["a"])
        store.leave(away)
        assert.strictEqual(yield* Effect.flip(directory.lookup("a")), away)
        assert.strictEqual(yield* directory.lookup("b"), other)
        store.comeBack()
        assert.strictEqual((yield* directory.lookup("a")).target.port, 9002)
      }),
  )

  it.scoped("a row that was not read because too many ask is not taken as it was known", () =>
    Effect.gen(function* () {
      const { directory, rows, store } = yield* startTelling()
      yield* rows.add(at("a"))
      yield* directory.lookup("a")
      store.fault = new StoreUnavailable({ ...away, isLate: true })
      store.tell(["a"])
      assert.strictEqual((yield* Effect.flip(directory.lookup("a")))._tag, "StoreUnavailable")
      assert.isTrue(directory.numbers().isReadable)
    }),
  )
})

describe("for longer than maxStale a store that is away", () => {
  it.live("refuses every session, and ends what hangs on them", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { directory, rows, store } = yield* startTelling({ maxStale: 5_000 })
        yield* rows.add(at("a"))
        const live = yield* directory.lookup("a")
        const ended = yield* endOf(live)
        store.leave(away, 4_000)
        assert.strictEqual(yield* directory.lookup("a"), live)
        store.leave(away, 5_001)
        assert.strictEqual(yield* Deferred.await(ended), "stale")
        assert.strictEqual(yield* Effect.flip(directory.lookup("a")), away)
        assert.strictEqual(directory.numbers().ended.stale, 1)
        store.comeBack()
        const next = yield* directory.lookup("a")
        yield* endOf(next)
        assert.notStrictEqual(next.generation, live.generation)
        // Until something is read, what hangs on a session goes on: it can be read now.
        yield* Effect.sleep(250)
        assert.isUndefined(next.ended)
      }),
    ),
  )

  it.live("closes WebSockets with 1013, and answers 503", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const echo = yield* WsOrigin.start()
        const { rows, store } = yield* startTelling()
        yield* rows.add({ id: "a", url: echo.url, status: "active" })
        const repo = Layer.succeed(SessionRepo, store.repo)
        const proxy = yield* startProxy({ repo, settings: { maxStale: 5_000 } })
        const socket = yield* openWs(`${proxy.url.replace("http", "ws")}/a/`)
        store.leave(away, 5_001)
        assert.strictEqual((yield* socket.closed).code, 1_013)
        const client = yield* proxy.connect
        const refused = yield* client.ask(request("GET /a/"))
        assert.strictEqual(refused.status, 503)
        assert.include(refused.text, "store_unavailable")
      }),
    ),
  )

  it.live("keeps what can be read nevertheless", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { directory, rows, store } = yield* startTelling({ maxStale: 5_000 })
        yield* rows.add(at("a"))
        const live = yield* directory.lookup("a")
        yield* endOf(live)
        store.leave(away, 5_001)
        store.fault = undefined
        assert.strictEqual(yield* directory.lookup("a"), live)
        yield* Effect.sleep(250)
        assert.isUndefined(live.ended)
        assert.isFalse(directory.numbers().isReadable)
      }),
    ),
  )
})
