import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryFolder } from "../sessions/temporary.js"
import { HttpOrigin } from "../support/HttpOrigin.js"
import { bareRequest, request } from "../support/HttpText.js"
import { type LabOptions, startLab } from "../support/Lab.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { startProxy } from "../support/TestProxy.js"
import { runTool } from "../support/Tool.js"
import { handshake } from "../websocket/Tunnel.js"
import { obliging } from "./ObligingOrigin.js"

const start = (options: LabOptions = {}) =>
  Effect.map(startLab({ script: obliging, settings: { cookies: "confine" }, ...options }), (lab) => {
    const cookiesOf = (say: string, target = "/app/x", host = "proxy.test") =>
      Effect.map(lab.ask(bareRequest(`GET ${target}`, [`Host: ${host}`, `X-Say: ${say}`])), (reply) => {
        assert.deepStrictEqual(reply.interim[0]?.values("set-cookie"), reply.values("set-cookie"))
        return reply.values("set-cookie")
      })
    return { ...lab, cookiesOf }
  })

/** A change must be in force after this long. */
const inForce = Effect.sleep(10)

const say = "Set-Cookie: a=1; Path=/; Domain=proxy.test|Set-Cookie: b=2; Secure|set-cookie: c=3;path=/c"

describe("cookies of a session's server", () => {
  it.scopedLive("are confined to the session, each for itself and in order, in interim answers too", () =>
    Effect.gen(function* () {
      const { ask, cookiesOf, origin } = yield* start()
      const confined = ["a=1; Path=/app", "b=2; Secure", "c=3;path=/app/c"]
      assert.deepStrictEqual(yield* cookiesOf(say), confined)
      assert.deepStrictEqual(yield* cookiesOf("Set-Cookie: b=2", "/app?x=/y"), ["b=2; Path=/app"])
      yield* ask(request("GET /app/x", ["X-Say: X-A: b", "Cookie: a=1; $Path=/; Path=/"]))
      assert.strictEqual(origin.requests.at(-1)?.value("cookie"), "a=1; $Path=/; Path=/")
    }),
  )

  it.scopedLive("are confined in the answer to a handshake, whichever way that goes", () =>
    Effect.gen(function* () {
      const { proxy } = yield* start()
      for (const target of ["/app/socket", "/ws/app/socket"])
        for (const refuse of [[], ["X-Refuse: 1"]]) {
          const client = yield* proxy.connect
          yield* client.send(handshake(target, ["X-Say: Set-Cookie: a=1; Path=/", ...refuse]))
          const head = yield* client.head
          assert.deepStrictEqual(head.values("set-cookie"), ["a=1; Path=/app"])
        }
    }),
  )

  it.scopedLive("that are bound to the whole host are left alone, which is logged once", () =>
    Effect.gen(function* () {
      const { cookiesOf, proxy } = yield* start()
      const bound = "__Host-id=s3cret; Path=/; Secure"
      for (let count = 0; count < 3; count++) assert.deepStrictEqual(yield* cookiesOf(`Set-Cookie: ${bound}`), [bound])
      const warnings = proxy.log.filter((line) => line.includes("cannot be confined"))
      assert.lengthOf(warnings, 1)
      for (const text of ["level=WARN", "session=app", "cookie=__Host-id"]) assert.include(warnings[0], text)
      assert.notInclude(warnings[0], "s3cret")
    }),
  )

  it.scopedLive("have no domain above the session's own name, where that names the session, whatever the policy", () =>
    Effect.gen(function* () {
      const { cookiesOf, proxy } = yield* start({ settings: { sessionHosts: ["apps.test"] } })
      const named =
        "Set-Cookie: a=1; Path=/; Domain=apps.test|Set-Cookie: __Host-b=2; Path=/|Set-Cookie: c=3; Domain=app.apps.test"
      const own = ["a=1; Path=/", "__Host-b=2; Path=/", "c=3; Domain=app.apps.test"]
      assert.deepStrictEqual(yield* cookiesOf(named, "/x", "app.apps.test:8080"), own)
      assert.deepStrictEqual(yield* cookiesOf("Set-Cookie: a=1; Domain=apps.test"), ["a=1; Domain=apps.test"])
      yield* proxy.repo.set("app", { policy: { cookies: "confine" } })
      yield* inForce
      assert.deepStrictEqual(yield* cookiesOf(named, "/x", "app.apps.test"), [...own.slice(0, 2), "c=3"])
      assert.deepStrictEqual(
        proxy.log.filter((line) => line.includes("cannot be confined")),
        [],
      )
    }),
  )

  it.scopedLive(
    "are relayed where nobody asks for more, for one session or all; a change counts for the next request",
    () =>
      Effect.gen(function* () {
        const { cookiesOf, proxy } = yield* start({ settings: {} })
        const one = "Set-Cookie: a=1; Path=/"
        assert.deepStrictEqual(yield* cookiesOf(one), ["a=1; Path=/"])
        yield* proxy.repo.set("app", { policy: { cookies: "confine" } })
        yield* inForce
        assert.deepStrictEqual(yield* cookiesOf(one), ["a=1; Path=/app"])
        yield* proxy.repo.set("app", { policy: { cookies: null } })
        yield* inForce
        assert.deepStrictEqual(yield* cookiesOf(one), ["a=1; Path=/"])
      }),
  )
})

describeUnless(lacking("curl"))("the cookies that curl keeps", () => {
  it.scopedLive("of one session are not sent to another, whether they say a path or not", () =>
    Effect.gen(function* () {
      const origin = yield* HttpOrigin.start((asked, response) => {
        const cookie = (name: string, attributes: string) => `${name}=1${attributes}`
        response.setHeader("Set-Cookie", [
          cookie("root", "; Path=/"),
          cookie("none", ""),
          cookie("below", "; Path=/below"),
          cookie("domain", "; Domain=127.0.0.1; Path=/"),
        ])
        response.end(asked.headers.cookie ?? "none")
      })
      const proxy = yield* startProxy({
        sessions: { alice: origin.url, alicette: origin.url },
        settings: { cookies: "confine" },
      })
      const jar = `${yield* temporaryFolder}/jar`
      const get = (path: string) =>
        Effect.map(runTool("curl", ["-sS", "-b", jar, "-c", jar, `${proxy.url}${path}`]), ({ stdout }) =>
          stdout.split("; ").sort(),
        )
      assert.deepStrictEqual(yield* get("/alice"), ["none"])
      assert.deepStrictEqual(yield* get("/alice/below/x"), ["below=1", "domain=1", "none=1", "root=1"])
      assert.deepStrictEqual(yield* get("/alicette/below/x"), ["none"])
      assert.deepStrictEqual(yield* get("/alicette"), ["domain=1", "root=1"])
    }),
  )
})
