import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, type Scope } from "effect"
import { ProxyConfig, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import { LiveSession } from "../../src/sessions/LiveSession.js"
import { Call, forkInto } from "../../src/step/Call.js"
import { type Release, Slots, type SlotsOf, type SlotsService } from "../../src/traffic/Slots.js"
import { Traffic } from "../../src/traffic/Traffic.js"
import { eventually } from "../support/Changes.js"
import { nowhere } from "../support/Nowhere.js"
import { superviseInMemory } from "./WorkersInMemory.js"

const sessionOf = (id: string) => new LiveSession(id, nowhere)

/** Takes a place that has to be there. */
const taken = <Owner>(slots: SlotsOf<Owner> | undefined, owner: Owner): Effect.Effect<Release> =>
  Effect.gen(function* () {
    const place = yield* slots?.take(owner) ?? Effect.dieMessage("there is no limit")
    return typeof place === "function" ? place : yield* Effect.dieMessage(`no place: ${place}`)
  })

/** The limit that leaves no place. */
const full = <Owner>(slots: SlotsOf<Owner> | undefined, owner: Owner): Effect.Effect<string> =>
  Effect.gen(function* () {
    const place = yield* slots?.take(owner) ?? Effect.dieMessage("there is no limit")
    return typeof place === "string" ? place : yield* Effect.dieMessage("there is a place")
  })

type Made = (settings: Partial<ProxySettings>) => Effect.Effect<SlotsService, unknown, Scope.Scope>

const here: Made = (settings) =>
  Effect.map(
    Layer.build(Slots.layer.pipe(Layer.provide(Traffic.layer), Layer.provide(ProxyConfig.layer(settings)))),
    Context.get(Slots),
  )

const asked: Made = (settings) =>
  Effect.map(
    Effect.flatMap(superviseInMemory(settings), (begin) => begin),
    ({ slots }) => slots,
  )

const kinds: ReadonlyArray<readonly [string, Made]> = [
  ["that one process counts", here],
  ["that the supervisor counts", asked],
]

describe.each(kinds)("slots %s", (_name, make) => {
  it.scoped("are not there for what has no limit", () =>
    Effect.gen(function* () {
      const { connections, requests, webSockets } = yield* make({})
      assert.deepStrictEqual([connections, requests, webSockets], [undefined, undefined, undefined])
      const session = yield* make({ maxRequestsPerSession: 1 })
      assert.isUndefined(session.webSockets)
      assert.isDefined(session.requests)
    }),
  )

  it.scoped("for WebSockets are full for one session at its own limit, and for all at theirs", () =>
    Effect.gen(function* () {
      const { webSockets } = yield* make({ maxWebSockets: 2, maxWebSocketsPerSession: 1 })
      const [one, other, third] = [sessionOf("one"), sessionOf("other"), sessionOf("third")]
      yield* taken(webSockets, one)
      assert.strictEqual(yield* full(webSockets, one), "own")
      yield* taken(webSockets, other)
      assert.strictEqual(yield* full(webSockets, one), "own")
      assert.strictEqual(yield* full(webSockets, third), "all")
    }),
  )

  it.scoped("for connections are full for all first; who is trusted has no limit of its own", () =>
    Effect.gen(function* () {
      const { connections } = yield* make({ maxConnections: 3, maxConnectionsPerClient: 1 })
      const client = { client: "192.0.2.1", isTrusted: false }
      const proxy = { client: "192.0.2.2", isTrusted: true }
      yield* taken(connections, client)
      assert.strictEqual(yield* full(connections, client), "own")
      yield* taken(connections, proxy)
      yield* taken(connections, proxy)
      assert.strictEqual(yield* full(connections, client), "all")
    }),
  )

  it.scoped("are given back once, however often that is said", () =>
    Effect.gen(function* () {
      const { webSockets } = yield* make({ maxWebSockets: 2 })
      const session = sessionOf("one")
      const release = yield* taken(webSockets, session)
      yield* taken(webSockets, session)
      release()
      release()
      yield* taken(webSockets, session)
      assert.strictEqual(yield* full(webSockets, session), "all")
    }),
  )

  it.scoped("can be looked at", () =>
    Effect.gen(function* () {
      const slots = yield* make({ maxWebSocketsPerSession: 2 })
      const session = sessionOf("one")
      yield* taken(slots.webSockets, session)
      yield* taken(slots.webSockets, sessionOf("other"))
      const release = yield* taken(slots.webSockets, session)
      release()
      assert.deepInclude(yield* slots.taken(session), { webSocketsOfSession: 1, webSockets: 2 })
    }),
  )
})

describe("slots that one process counts", () => {
  it.scoped("are a lifetime's own", () =>
    Effect.gen(function* () {
      const { webSockets } = yield* here({ maxWebSocketsPerSession: 1 })
      yield* taken(webSockets, sessionOf("one"))
      yield* taken(webSockets, sessionOf("one"))
    }),
  )
})

/** Drives a call without a fiber, as a request does. */
const drive = (slots: SlotsOf<LiveSession> | undefined, session: LiveSession) =>
  Effect.gen(function* () {
    const call = slots?.take(session)
    if (!(call instanceof Call)) return yield* Effect.dieMessage("it is known at once")
    const settled: Array<unknown> = []
    call.start({ settled: (exit) => settled.push(exit) }, forkInto(yield* Effect.runtime<never>()))
    return { call, settled }
  })

describe("slots of several workers", () => {
  const settings = { maxRequestsPerSession: 2 }

  it.scoped("count together, and come back when a worker is dead", () =>
    Effect.gen(function* () {
      const begin = yield* superviseInMemory(settings)
      const [one, other, third] = [yield* begin, yield* begin, yield* begin]
      yield* taken(one.slots.requests, sessionOf("app"))
      const release = yield* taken(other.slots.requests, sessionOf("app"))
      assert.strictEqual(yield* full(third.slots.requests, sessionOf("app")), "own")
      assert.strictEqual((yield* third.slots.taken(sessionOf("app"))).requestsOfSession, 2)
      yield* taken(third.slots.requests, sessionOf("other"))
      release()
      yield* taken(other.slots.requests, sessionOf("app"))
      yield* one.die
      yield* taken(third.slots.requests, sessionOf("app"))
      assert.strictEqual(yield* full(other.slots.requests, sessionOf("app")), "own")
    }),
  )

  it.scoped("are given back by who leaves before it has one, whenever that is", () =>
    Effect.gen(function* () {
      const begin = yield* superviseInMemory({ maxRequestsPerSession: 1 })
      const { slots } = yield* begin
      const app = sessionOf("app")
      const unsent = yield* drive(slots.requests, app)
      unsent.call.cancel()
      const sent = yield* drive(slots.requests, app)
      yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      sent.call.cancel()
      const release = yield* taken(slots.requests, app)
      assert.deepStrictEqual([unsent.settled, sent.settled], [[], []])
      release()
      yield* taken(slots.requests, app)
      assert.strictEqual(yield* full(slots.requests, app), "own")
    }),
  )

  it.scopedLive("are not waited for where the supervisor is silent, and count again when it is not", () =>
    Effect.gen(function* () {
      const begin = yield* superviseInMemory({ maxRequestsPerSession: 1 }, 5)
      const { slots, stopSupervisor } = yield* begin
      const app = sessionOf("app")
      const goOn = stopSupervisor()
      const [first, second] = yield* Effect.all([taken(slots.requests, app), taken(slots.requests, app)], {
        concurrency: 2,
      })
      assert.isFalse(slots.requests?.take(app) instanceof Call)
      // What it has not been told of, it will be: the first of the two has the place then, and the second none.
      goOn()
      const isAsked = Effect.sync(() => slots.requests?.take(app) instanceof Call)
      yield* eventually(isAsked, "the supervisor to be asked again")
      second()
      assert.strictEqual(yield* full(slots.requests, app), "own")
      first()
      yield* taken(slots.requests, app)
    }),
  )

  it.scoped("are not waited for where the supervisor is gone", () =>
    Effect.gen(function* () {
      const begin = yield* superviseInMemory(settings)
      const { orphan, slots, stopSupervisor } = yield* begin
      stopSupervisor()
      const waiting = yield* Effect.fork(taken(slots.requests, sessionOf("app")))
      yield* Effect.yieldNow()
      orphan()
      yield* Fiber.join(waiting)
      for (let count = 0; count < 3; count++) yield* taken(slots.requests, sessionOf("app"))
    }),
  )
})
