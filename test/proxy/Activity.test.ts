import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { ActivityStore } from "../../src/sessions/ActivityStore.js"
import { layerMemory } from "../../src/sessions/MemoryActivityStore.js"
import { neverActive } from "../../src/sessions/SessionActivity.js"
import { DownstreamReset } from "../../src/domain/ProxyError.js"
import { type Answer, Downstream } from "../../src/downstream/Downstream.js"
import { RequestHooks } from "../../src/http/RequestHooks.js"
import * as Body from "../../src/wire/Body.js"
import { reply } from "../../src/wire/Reply.js"
import { patience } from "../support/Changes.js"
import { chunk, request, response } from "../support/HttpText.js"
import { type Lab, type LabOptions, startLab } from "../support/Lab.js"
import { startProxy } from "../support/TestProxy.js"
import { answering, saying } from "../support/RawOrigin.js"
import { clientText, frame } from "../websocket/Frames.js"
import { agreeing, openThrough } from "../websocket/Tunnel.js"

const get = request("GET /app/x")
const report = ({ proxy }: Lab) => proxy.activity.report("app")

/** Whether each of the three times was set. */
const seen = (times: { readonly [Name in "lastRequestAt" | "lastClientAt" | "lastServerAt"]: number }) => [
  times.lastRequestAt > 0,
  times.lastClientAt > 0,
  times.lastServerAt > 0,
]

const inUse = [true, true, true]
const unused = [false, false, false]

/** Waits until a report says so. */
const untilReport = (lab: Lab, isSo: (found: Effect.Effect.Success<ReturnType<typeof report>>) => boolean) =>
  Effect.repeat(Effect.delay(report(lab), 50), { until: isSo }).pipe(Effect.timeout(patience))

describe("a session counts as in use", () => {
  it.scopedLive("when a request of it was answered by its server, with any status", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: answering(response("500 Internal Server Error", ["Content-Length: 0"])) })
      const before = Date.now()
      yield* lab.ask(get)
      yield* lab.proxy.quiet
      const found = yield* report(lab)
      expect(seen(found)).toEqual(inUse)
      expect(found).toMatchObject({ lastKind: "request", lastClient: "127.0.0.1", requests: 1, errors: 0, open: [] })
      expect(found).toMatchObject({ idleSeconds: 0, problem: undefined })
      expect(found.lastRequestAt).toBeGreaterThanOrEqual(before - 1)
      expect(found.lastServerAt).toBeLessThanOrEqual(Date.now())
    }),
  )

  it.scopedLive("while an answer streams, which is shown as open", () =>
    Effect.gen(function* () {
      const head = response("200 OK", ["Transfer-Encoding: chunked"])
      const lab = yield* startLab({ script: saying(head + chunk("one")) })
      const client = yield* lab.proxy.connect
      yield* client.send(get)
      yield* client.seen("one")
      const first = yield* report(lab)
      expect(seen(first)).toEqual(inUse)
      expect(first.open).toMatchObject([{ kind: "request", client: "127.0.0.1", isIgnored: false, bytesOut: 3 }])
      expect(first).toMatchObject({ bytesOut: 3 })
      const connection = yield* lab.origin.connection(0)
      yield* connection.send(chunk("two"))
      yield* untilReport(lab, ({ bytesOut, lastServerAt }) => bytesOut === 6 && lastServerAt > first.lastServerAt)
      expect((yield* report(lab)).lastRequestAt).toBe(first.lastRequestAt)
    }),
  )

  it.scopedLive("with data on a WebSocket, either way, and not with pings", () =>
    Effect.gen(function* () {
      const lab = yield* startLab({ script: agreeing() })
      const { client, server } = yield* openThrough(lab)
      const open = yield* report(lab)
      expect(open).toMatchObject({ lastKind: "request", requests: 1, open: [{ kind: "websocket" }] })
      yield* client.raw.send(frame(9, "p", { masked: true }))
      yield* server.seen(7)
      yield* server.raw.send(frame(10, "p"))
      yield* client.seen(3)
      const pinged = yield* report(lab)
      expect(pinged.uncounted).toEqual({ pings: 2, ignoredRequests: 0 })
      expect([pinged.lastClientAt, pinged.lastServerAt]).toEqual([open.lastClientAt, open.lastServerAt])
      yield* client.raw.send(clientText("hello"))
      yield* server.seen(7 + 11)
      const spoken = yield* untilReport(lab, ({ lastKind }) => lastKind === "websocket")
      expect(spoken.lastServerAt).toBe(open.lastServerAt)
      expect(spoken.lastRequestAt).toBe(open.lastRequestAt)
      expect(spoken.lastClientAt).toBeGreaterThan(open.lastClientAt)
    }),
  )

  it.scopedLive("when it was touched, whether it was ever asked for or not", () =>
    Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(layerMemory), ActivityStore)
      const lab = yield* startLab({ activityStore: Layer.succeed(ActivityStore, store) })
      yield* lab.proxy.activity.touch("app")
      expect(yield* report(lab)).toMatchObject({ lastKind: "touch", lastRequestAt: 0, requests: 0 })
      yield* lab.ask(get)
      yield* lab.proxy.quiet
      yield* report(lab)
      yield* lab.proxy.activity.touch("app")
      expect(yield* report(lab)).toMatchObject({ lastKind: "touch", requests: 1 })
      const missing = yield* Effect.flip(lab.proxy.activity.touch("nobody"))
      expect(missing).toMatchObject({ _tag: "SessionNotFound", sessionId: "nobody" })
    }),
  )
})

describe("a session does not count as in use", () => {
  const refused: Readonly<Record<string, readonly [LabOptions, string]>> = {
    "with a request that its server never answered": [{ script: saying("", "reset") }, get],
    "with an answer that is no HTTP": [{ script: saying("SMTP hello\r\n\r\n", "finish") }, get],
    "with a request that is refused": [
      { settings: { maxBodyBytes: 3 } },
      request("POST /app/x", ["Content-Length: 5"], "12345"),
    ],
    "with an answer of a hook": [
      { hooks: RequestHooks.layer(() => Effect.succeed(reply(401, [], "no"))) },
      request("POST /app/x", ["Content-Length: 5"], "12345"),
    ],
    "with a request of which a hook makes a mess": [{ hooks: RequestHooks.layer(() => Effect.die("mess")) }, get],
    "with a request for a path that is ignored": [{ settings: { activityIgnore: ["/x"] } }, get],
  }
  for (const [what, [options, asked]] of Object.entries(refused))
    it.scopedLive(what, () =>
      Effect.gen(function* () {
        const lab = yield* startLab(options)
        const client = yield* lab.proxy.connect
        yield* Effect.raceFirst(Effect.ignore(client.ask(asked)), client.gone)
        yield* lab.proxy.quiet
        const found = yield* report(lab)
        expect(seen(found)).toEqual(unused)
        expect(found.lastKind).toBeUndefined()
        expect(found.uncounted.ignoredRequests).toBe(what.endsWith("ignored") ? 1 : 0)
        expect(found.idleSeconds).toBeLessThan(5)
      }),
    )

  it.scopedLive("with an answer that contradicts itself, which the proxy does not pass on", () =>
    Effect.gen(function* () {
      const fields = ["Content-Length", "10"]
      const answer: Answer = {
        _tag: "Answer",
        status: 200,
        reason: "OK",
        fields,
        body: Body.bytes(Buffer.from("short")),
      }
      const proxy = yield* startProxy({
        sessions: { app: "http://unused" },
        downstream: Layer.succeed(Downstream, {
          request: () => Effect.succeed(answer),
          upgrade: () => new DownstreamReset({ address: "nowhere" }),
        }),
      })
      const client = yield* proxy.connect
      expect((yield* client.ask(get)).status).toBe(502)
      yield* proxy.quiet
      expect(seen(yield* proxy.activity.report("app"))).toEqual(unused)
    }),
  )

  it.scopedLive("and is counted from when it was added where it never was", () =>
    Effect.gen(function* () {
      const lab = yield* startLab()
      const { idleSince, idleSeconds } = yield* report(lab)
      expect(Math.abs((idleSince ?? 0) - Date.now())).toBeLessThan(5_000)
      expect(idleSeconds).toBeLessThan(5)
      expect(yield* Effect.flip(lab.proxy.activity.report("nobody"))).toMatchObject({ _tag: "SessionNotFound" })
    }),
  )
})

describe("what is known of a session", () => {
  it.scopedLive("goes on when it moves to another server", () =>
    Effect.gen(function* () {
      const [other, lab] = [yield* startLab(), yield* startLab()]
      yield* lab.ask(get)
      yield* lab.proxy.quiet
      yield* lab.proxy.repo.set("app", { url: other.origin.url })
      yield* Effect.repeat(Effect.delay(lab.ask(get), 10), { until: () => other.origin.connections.length > 0 })
      yield* lab.proxy.quiet
      expect((yield* report(lab)).requests).toBeGreaterThanOrEqual(2)
    }),
  )

  it.scopedLive("is there after a restart, with the later of each time", () =>
    Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(layerMemory), ActivityStore)
      const activityStore = Layer.succeed(ActivityStore, store)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const lab = yield* startLab({ activityStore })
          yield* lab.ask(get)
        }),
      )
      const lab = yield* startLab({ activityStore })
      const [stored = neverActive] = yield* store.find(["app"])
      expect(seen(stored)).toEqual(inUse)
      const { lastRequestAt, lastClientAt, lastServerAt, lastKind } = yield* report(lab)
      expect({ lastRequestAt, lastClientAt, lastServerAt, lastKind }).toMatchObject({
        lastRequestAt: stored.lastRequestAt,
        lastClientAt: stored.lastClientAt,
        lastServerAt: stored.lastServerAt,
        lastKind: "request",
      })
    }),
  )

  it.scopedLive("is never negative where the clock was ahead", () =>
    Effect.gen(function* () {
      const store = Context.get(yield* Layer.build(layerMemory), ActivityStore)
      yield* store.write([{ ...neverActive, sessionId: "app", lastRequestAt: Date.now() + 3_600_000 }])
      const lab = yield* startLab({ activityStore: Layer.succeed(ActivityStore, store) })
      expect(yield* report(lab)).toMatchObject({ idleSeconds: 0 })
    }),
  )
})
