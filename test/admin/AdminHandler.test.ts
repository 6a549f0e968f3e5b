import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FiberSet, Logger } from "effect"
import { AdminTokens } from "../../src/admin/access/AdminTokens.js"
import { ChangeNotes } from "../../src/admin/access/ChangeNotes.js"
import { FailedTries } from "../../src/admin/access/FailedTries.js"
import { TokenGate } from "../../src/admin/AdminGate.js"
import { textAnswer } from "../../src/admin/AdminAnswer.js"
import { AdminHandler, type AdminHandlerParts } from "../../src/admin/AdminHandler.js"
import { type Door, makeListener } from "../../src/admin/AdminListener.js"
import type { AdminRoute } from "../../src/admin/AdminRoute.js"
import { listen } from "../../src/server/Listening.js"
import { Telemetry } from "../../src/telemetry/Telemetry.js"

const nothing = Effect.die(new Error("no such file"))

/** A listener over TCP without an API, with these routes. Gives its base URL. */
const startListener = (routes: ReadonlyArray<AdminRoute>, fork: AdminHandlerParts["fork"], door: Door) =>
  Effect.gen(function* () {
    const handler = new AdminHandler(
      { adminHosts: [] },
      {
        routes,
        page: () => undefined,
        gate: new TokenGate(new AdminTokens([], undefined), new FailedTries()),
        api: { handler: nothing, description: nothing, reference: nothing },
        changes: new ChangeNotes(),
        counters: yield* Telemetry,
        fork,
      },
    )
    const flags = { host: "--admin-host", port: "--admin-port" }
    const { port } = yield* listen(yield* makeListener(handler, door), { host: "127.0.0.1", port: 0, flags }, 16)
    return `http://127.0.0.1:${port}`
  })

const ask = (url: string) => Effect.promise(() => fetch(url))

describe("the admin listener", () => {
  it.scoped("answers 500, and logs why, where the API cannot be loaded", () =>
    Effect.gen(function* () {
      const logged = yield* Deferred.make<void>()
      const logger = Logger.make(() => void Deferred.unsafeDone(logged, Effect.void))
      const fork = yield* FiberSet.makeRuntime<never>().pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      )
      const base = yield* startListener([], fork, "socket")
      for (const path of ["/v1/sessions", "/openapi.json"]) {
        const response = yield* ask(base + path)
        assert.strictEqual(response.status, 500)
        assert.include(yield* Effect.promise(() => response.text()), '"code":"internal_error"')
      }
      yield* Deferred.await(logged)
    }),
  )

  it.scopedLive("gives those who show no token a twentieth of the event loop's time", () =>
    Effect.gen(function* () {
      const fork = yield* FiberSet.makeRuntime<never>()
      const costly = Effect.sync(() => {
        const end = performance.now() + 20
        while (performance.now() < end);
        return textAnswer(200, "")
      })
      const base = yield* startListener([{ path: "/livez", needsToken: false, answer: () => costly }], fork, "tcp")
      const startedAt = performance.now()
      const statuses = yield* Effect.forEach(
        Array.from({ length: 12 }),
        () => Effect.map(ask(`${base}/livez`), ({ status }) => status),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual([...new Set(statuses)], [200])
      // 240 ms of work. What one takes is learnt from those before it: in all 119 ms were expected, of which 50 are there at once.
      assert.isAtLeast(performance.now() - startedAt, (119 - 50) / 0.05 - 50)
    }),
  )
})
