import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, FiberSet, Logger } from "effect"
import { AdminTokens } from "../../src/admin/access/AdminTokens.js"
import { ChangeNotes } from "../../src/admin/access/ChangeNotes.js"
import { FailedTries } from "../../src/admin/access/FailedTries.js"
import { TokenGate } from "../../src/admin/AdminGate.js"
import { AdminHandler } from "../../src/admin/AdminHandler.js"
import { makeListener } from "../../src/admin/AdminListener.js"
import { listen } from "../../src/server/Listening.js"
import { Telemetry } from "../../src/telemetry/Telemetry.js"

describe("the admin listener", () => {
  it.scoped("answers 500, and logs why, where the API cannot be loaded", () =>
    Effect.gen(function* () {
      const logged = yield* Deferred.make<void>()
      const logger = Logger.make(() => void Deferred.unsafeDone(logged, Effect.void))
      const gone = Effect.die(new Error("no such file"))
      const handler = new AdminHandler(
        { adminHosts: [] },
        {
          routes: [],
          page: () => undefined,
          gate: new TokenGate(new AdminTokens([], undefined), new FailedTries()),
          api: { handler: gone, description: gone, reference: gone },
          changes: new ChangeNotes(),
          counters: yield* Telemetry,
          fork: yield* FiberSet.makeRuntime<never>().pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger))),
        },
      )
      const server = yield* makeListener(handler, "socket")
      const flags = { host: "--admin-host", port: "--admin-port" }
      const { port } = yield* listen(server, { host: "127.0.0.1", port: 0, flags }, 1)
      for (const path of ["/v1/sessions", "/openapi.json"]) {
        const response = yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`))
        assert.strictEqual(response.status, 500)
        assert.include(yield* Effect.promise(() => response.text()), '"code":"internal_error"')
      }
      yield* Deferred.await(logged)
    }),
  )
})
