import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { SessionPolicy } from "../../src/domain/SessionPolicy.js"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { HttpMessage } from "../support/HttpMessage.js"
import { request } from "../support/HttpText.js"
import { type LabOptions, startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

/** What a client may send to be taken for a proxy, in spellings that some servers fold. */
const pretended = [
  "Via: 1.0 fred",
  "X-Forwarded-For: 192.0.2.7",
  "X_Forwarded_Host: evil.example",
  "X-Forwarded-Server: evil.example",
  "x.forwarded.proto: https",
]

const namesLike = (seen: HttpMessage, pattern: RegExp) =>
  seen.fields.map(([name]) => name).filter((n) => pattern.test(n))

/** What its server sees of requests for a session with this policy, and of one without, in a proxy with these settings. */
const seenBy = (options: LabOptions, policy: Partial<SessionPolicy> = {}) =>
  Effect.gen(function* () {
    const { ask, origin, proxy } = yield* startLab(options)
    yield* proxy.repo.add({ id: "own", url: origin.url, status: "active", policy })
    let count = 0
    const see = (id: string, lines = pretended) =>
      Effect.gen(function* () {
        const target = `/${++count}`
        assert.strictEqual((yield* ask(request(`GET /${id}${target}`, lines))).status, 200)
        return origin.requests.find((seen) => seen.target === target) ?? assert.fail(`nothing came for ${target}`)
      })
    return { see, proxy }
  })

/** A policy that is on or off: what it takes away. */
const switches: ReadonlyArray<
  readonly [policy: "via" | "forwarded" | "trace", setting: keyof ProxySettings, takes: RegExp]
> = [
  ["via", "via", /^via$/i],
  ["forwarded", "forwarded", /^x[^a-z0-9]forwarded/i],
  ["trace", "traceContext", /^traceparent$/i],
]

for (const [name, setting, takes] of switches) {
  describe(`${name}=off`, () => {
    it.scopedLive("as a policy counts for its session alone, until the row says otherwise", () =>
      Effect.gen(function* () {
        const { proxy, see } = yield* seenBy({ settings: { trustedProxies: ["127.0.0.1"] } }, { [name]: "off" })
        assert.deepStrictEqual(namesLike(yield* see("own"), takes), [])
        assert.notDeepEqual(namesLike(yield* see("app"), takes), [])
        yield* proxy.repo.set("own", { policy: { [name]: null } })
        yield* inForce
        assert.notDeepEqual(namesLike(yield* see("own"), takes), [])
      }),
    )

    it.scopedLive("as a setting counts for all, but for sessions that say on", () =>
      Effect.gen(function* () {
        const { see } = yield* seenBy({ settings: { [setting]: "off" } }, { [name]: "on" })
        assert.deepStrictEqual(namesLike(yield* see("app"), takes), [])
        assert.notDeepEqual(namesLike(yield* see("own"), takes), [])
      }),
    )
  })
}

describe("a loop without Via", () => {
  const pairs = [
    ["off", "off"],
    ["off", "on"],
    ["on", "off"],
  ] as const
  for (const [first, second] of pairs) {
    it.scopedLive(`over a proxy with via=${first} and one with via=${second} is 508`, () =>
      Effect.gen(function* () {
        const one = yield* startProxy({ settings: { via: first } })
        const two = yield* startProxy({ sessions: { b: `${one.url}/a` }, settings: { via: second } })
        yield* one.repo.add({ id: "a", url: `${two.url}/b`, status: "active" })
        const client = yield* one.connect
        const nominates = "Connection: cdn-loop, via"
        assert.strictEqual((yield* client.ask(request("GET /a/x", [nominates]))).status, 508)
      }),
    )
  }

  it.scopedLive("is not seen in what a client makes up, nor in the names of other proxies, which go on", () =>
    Effect.gen(function* () {
      const { origin, ask } = yield* startLab({ settings: { via: "off" } })
      const lines = ["CDN-Loop: cdn.example", "cdn_loop: ss-proxy-00000000", "Via: 1.1 ss-proxy-01234567"]
      assert.strictEqual((yield* ask(request("GET /app/x", lines))).status, 200)
      const seen = yield* origin.request()
      assert.match(seen.value("cdn-loop") ?? "", /^cdn\.example, ss-proxy-01234567, ss-proxy-[\da-f]{8}$/)
      assert.deepStrictEqual(seen.values("via"), [])
      assert.deepStrictEqual(seen.values("cdn_loop"), [])
    }),
  )
})
