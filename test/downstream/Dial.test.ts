import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, type Scope } from "effect"
import dns, { type LookupAddress, type LookupOptions } from "node:dns"
import { createServer } from "node:http"
import { syncBuiltinESMExports } from "node:module"
import { defaultSettings, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { DialError } from "../../src/domain/ProxyError.js"
import type { RequestError } from "../../src/downstream/Downstream.js"
import { empty } from "../../src/wire/Body.js"
import { Dialer } from "../../src/downstream/Dial.js"
import { layerConnections } from "../../src/downstream/ConnectionDownstream.js"
import { ListenerAddresses, OwnListeners } from "../../src/downstream/OwnListeners.js"
import { layerUndici } from "../undici/UndiciDownstream.js"
import { answer } from "../support/HttpText.js"
import { listening } from "../support/Listening.js"
import { answering, RawOrigin, silent } from "../support/RawOrigin.js"
import { callAt, type DownstreamLayer, sessionAt, startDownstream, textOf } from "./DownstreamLab.js"

const layers: ReadonlyArray<readonly [name: string, layer: DownstreamLayer]> = [
  ["own connections", layerConnections],
  ["undici", layerUndici],
]

/** Every name has these addresses, one list a look-up and then the last of them. Gives how often was looked up. */
const withNames = (
  ...answers: ReadonlyArray<ReadonlyArray<string>>
): Effect.Effect<() => number, never, Scope.Scope> => {
  const real = dns.lookup
  let count = 0
  const fake = (
    _name: string,
    _options: LookupOptions,
    done: (error: Error | null, found: ReadonlyArray<LookupAddress>) => void,
  ): void => {
    const found = answers[Math.min(count++, answers.length - 1)] ?? []
    const addresses = found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }))
    setImmediate(() => done(null, addresses))
  }
  const put = (lookup: unknown) =>
    Effect.sync(() => {
      Object.assign(dns, { lookup })
      syncBuiltinESMExports()
      return () => count
    })
  return Effect.acquireRelease(put(fake), () => put(real))
}

for (const [layerName, layer] of layers) {
  const ask = (url: string, settings: Partial<ProxySettings> = {}) =>
    Effect.flatMap(startDownstream(layer, settings), (downstream) => callAt(downstream)({}, sessionAt(url)))

  /** Why a request and a handshake come to nothing; what of an address is denied is in the cause. */
  const refusal = (url: string, settings: Partial<ProxySettings> = {}) =>
    Effect.gen(function* () {
      const session = sessionAt(url)
      const downstream = yield* startDownstream(layer, settings)
      const head = {
        method: "GET",
        target: "/",
        fields: ["Host", "h", "Connection", "Upgrade", "Upgrade", "websocket"],
      }
      const errors = [
        yield* Effect.flip(downstream.request(session, { ...head, fields: ["Host", "h"] }, empty)),
        yield* Effect.flip(downstream.upgrade(session, head)),
      ]
      return errors.map((error) =>
        error._tag === "DownstreamUnreachable" ? `${error.reason} ${error.address} ${String(error.cause)}` : error._tag,
      )
    })

  const assertDenied = (refusals: ReadonlyArray<string>, server: string, address: string, why: string): void => {
    assert.lengthOf(refusals, 2)
    for (const refused of refusals) {
      assert.isTrue(refused.startsWith(`denied ${server} `), refused)
      assert.include(refused, `${address} may not be reached`)
      assert.include(refused, why)
    }
  }

  describe(`the guard of addresses: ${layerName}`, () => {
    for (const [url, server, address] of [
      ["http://169.254.169.254/latest", "169.254.169.254:80", "169.254.169.254"],
      ["https://169.254.169.254", "169.254.169.254:443", "169.254.169.254"],
      ["http://[::ffff:169.254.169.254]:81", "[::ffff:a9fe:a9fe]:81", "::ffff:a9fe:a9fe"],
      ["http://[64:ff9b::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]:80", "64:ff9b::a9fe:a9fe"],
      ["http://0xa9.0xfe.43518", "169.254.169.254:80", "169.254.169.254"],
    ] as const)
      it.scopedLive(`refuses ${url}`, () =>
        Effect.gen(function* () {
          assertDenied(yield* refusal(url), server, address, "cloud metadata")
        }),
      )

    it.scopedLive("refuses an address that the settings deny, and never connects", () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(silent)
        const refused = yield* refusal(origin.url, { denyDownstream: ["127.0.0.0/8"] })
        assertDenied(refused, origin.authority, "127.0.0.1", "127.0.0.0/8 is denied by the settings")
        assert.strictEqual(origin.connections.length, 0)
      }),
    )

    it.scopedLive("refuses a name that leads to such an address", () =>
      Effect.gen(function* () {
        yield* withNames(["169.254.169.254"])
        assertDenied(yield* refusal("http://innocent.test"), "innocent.test:80", "169.254.169.254", "cloud metadata")
        assertDenied(yield* refusal("https://innocent.test"), "innocent.test:443", "169.254.169.254", "cloud metadata")
      }),
    )

    it.scopedLive("refuses a name all of whose addresses are denied", () =>
      Effect.gen(function* () {
        yield* withNames(["fe80::1", "169.254.1.1"])
        assertDenied(yield* refusal("http://innocent.test"), "innocent.test:80", "fe80::1", "link-local")
      }),
    )

    it.scopedLive("connects to those addresses of a name that are permitted, and to no others", () =>
      Effect.gen(function* () {
        const reached: Array<string | undefined> = []
        const server = createServer((request, response) => {
          reached.push(request.socket.localAddress)
          response.end("hello")
        })
        const port = yield* listening(server, "0.0.0.0")
        yield* withNames(["169.254.169.254", "127.0.0.2", "127.0.0.1"])
        const answered = yield* ask(`http://innocent.test:${port}`, { denyDownstream: ["127.0.0.2"] })
        assert.strictEqual(yield* textOf(answered), "hello")
        assert.deepStrictEqual(reached, ["127.0.0.1"])
      }),
    )

    it.scopedLive("looks a name up once for each connection: what was checked is what is connected to", () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(answer("200 OK", "hello")))
        const lookups = yield* withNames(["127.0.0.1"], ["169.254.169.254"])
        const url = `http://rebinding.test:${origin.port}`
        assert.strictEqual(yield* textOf(yield* ask(url)), "hello")
        assert.strictEqual(lookups(), 1)
        assertDenied(yield* refusal(url), `rebinding.test:${origin.port}`, "169.254.169.254", "cloud metadata")
      }),
    )
  })
}

describe("a name that is slow to look up", () => {
  /** The slow name is not answered before the scope ends; each other one is at once. Gives the names that were asked for. */
  const withSlowName = (slow: string) => {
    const real = dns.lookup
    const asked: Array<string> = []
    const late: Array<() => void> = []
    const fake = (name: string, _: LookupOptions, done: (error: Error | null, found: unknown) => void): void => {
      asked.push(name)
      const answered = () => done(null, [{ address: "127.0.0.1", family: 4 }])
      if (name === slow) late.push(answered)
      else setImmediate(answered)
    }
    const put = (lookup: unknown) =>
      Effect.sync(() => {
        Object.assign(dns, { lookup })
        syncBuiltinESMExports()
        return { asked, answerAll: () => late.splice(0).forEach((answered) => answered()) }
      })
    return Effect.acquireRelease(put(fake), () => put(real))
  }

  it.scopedLive("is looked up once for all who wait for it, and again for who comes later", () =>
    Effect.gen(function* () {
      const origin = yield* RawOrigin.start(answering(answer("200 OK", "hello")))
      const { asked, answerAll } = yield* withSlowName("slow.test")
      const call = callAt(yield* startDownstream(layerConnections))
      const [slow, quick] = ["slow", "quick"].map((name) => sessionAt(`http://${name}.test:${origin.port}`, name))
      if (slow === undefined || quick === undefined) return assert.fail("there are two sessions")
      const asking = Effect.suspend(() => Effect.fork(call({}, slow)))
      const [leaving, ...staying] = yield* Effect.all([asking, asking, asking])
      assert.strictEqual(yield* textOf(yield* call({}, quick)), "hello")
      assert.deepStrictEqual(asked.toSorted(), ["quick.test", "slow.test"])
      yield* Fiber.interrupt(leaving)
      answerAll()
      for (const fiber of staying) assert.strictEqual(yield* textOf(yield* Fiber.join(fiber)), "hello")
      const later = sessionAt(`http://slow.test:${origin.port}`, "later")
      const last = yield* Effect.fork(call({}, later))
      while (asked.length < 3) yield* Effect.sleep(1)
      answerAll()
      assert.strictEqual(yield* textOf(yield* Fiber.join(last)), "hello")
      assert.deepStrictEqual(asked.toSorted(), ["quick.test", "slow.test", "slow.test"])
    }),
  )
})

for (const [layerName, layer] of layers)
  describe(`the proxy's own listeners: ${layerName}`, () => {
    /** What becomes of a request and of a handshake, where the proxy listens there. */
    const outcomes = (url: string, own: ListenerAddresses) =>
      Effect.gen(function* () {
        const session = sessionAt(url)
        const head = { method: "GET", target: "/", fields: ["Host", "h"] }
        const downstream = yield* startDownstream(Layer.provide(layer, Layer.succeed(OwnListeners, own)))
        const asked = downstream.request(session, head, empty)
        const upgraded = downstream.upgrade(session, {
          ...head,
          fields: ["Host", "h", "Connection", "Upgrade", "Upgrade", "websocket"],
        })
        const told = (error: RequestError) =>
          error._tag === "LoopDetected" ? `${error._tag} ${error.sessionId} ${error.address}` : error._tag
        return [
          yield* Effect.match(asked, { onSuccess: ({ status }) => String(status), onFailure: told }),
          yield* Effect.match(upgraded, { onSuccess: ({ _tag }) => _tag, onFailure: told }),
        ]
      })

    const listeningAt = (address: string, port: number): ListenerAddresses => {
      const own = new ListenerAddresses()
      own.add({ address, port, family: "IPv4" })
      return own
    }

    it.scopedLive("are not connected to, by address or by name", () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(silent)
        const own = listeningAt("0.0.0.0", origin.port)
        for (const host of ["127.0.0.1", "127.0.0.9", "[::ffff:127.0.0.1]", "0x7f.1"]) {
          const said = yield* outcomes(`http://${host}:${origin.port}`, own)
          for (const outcome of said) assert.match(outcome, /^LoopDetected app .*:\d+$/)
        }
        yield* withNames(["192.0.2.1", "127.0.0.1"])
        assert.deepStrictEqual(
          yield* outcomes(`https://innocent.test:${origin.port}`, own),
          Array.from({ length: 2 }, () => `LoopDetected app innocent.test:${origin.port}`),
        )
        assert.strictEqual(origin.connections.length, 0)
      }),
    )

    it.scopedLive("are only those: another port or another address is another server", () =>
      Effect.gen(function* () {
        const origin = yield* RawOrigin.start(answering(answer("200 OK", "hello")))
        for (const own of [listeningAt("0.0.0.0", origin.port + 1), listeningAt("127.0.0.2", origin.port)])
          assert.deepStrictEqual(yield* outcomes(origin.url, own), ["200", "Answer"])
      }),
    )
  })

describe("Dialer", () => {
  const target = sessionAt("http://169.254.169.254").target
  const turn = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
  const listener = () => {
    const told: Array<string> = []
    return {
      told,
      connected: () => void told.push("connected"),
      failed: (error: DialError) => void told.push(error._tag === "DownstreamUnreachable" ? error.reason : error._tag),
    }
  }

  it.live("tells of an address that is denied once, and not before it has returned", () =>
    Effect.gen(function* () {
      const heard = listener()
      new Dialer(defaultSettings).dial(target, heard)
      assert.deepStrictEqual(heard.told, [])
      yield* turn
      assert.deepStrictEqual(heard.told, ["denied"])
    }),
  )

  it.live("tells nobody who has given up meanwhile", () =>
    Effect.gen(function* () {
      const heard = listener()
      const giveUp = new Dialer(defaultSettings).dial(target, heard)
      giveUp()
      yield* turn
      assert.deepStrictEqual(heard.told, [])
    }),
  )

  it("is not made of settings that hold no certificate where one should be, or no key", () => {
    for (const settings of [{ downstreamCert: "words" }, { downstreamKey: "words" }, { denyDownstream: ["words"] }])
      assert.throws(() => new Dialer({ ...defaultSettings, ...settings }))
  })
})
