import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:net"
import { listen, listenOnInherited } from "../../src/server/Listening.js"

describe("a listener", () => {
  it.effect("says of a descriptor that is not there how a socket is to be handed over", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(listenOnInherited(createServer(), 9_999, 1))
      assert.match(
        error.message,
        /^cannot listen on the socket that was passed in \(descriptor 9999\): .*ListenStream=/,
      )
    }),
  )

  it.effect("says of a port that is taken what to do", () =>
    Effect.gen(function* () {
      const flags = { host: "--host", port: "--port" }
      const first = createServer()
      yield* Effect.addFinalizer(() => Effect.sync(() => first.close()))
      const { port } = yield* listen(first, { host: "127.0.0.1", port: 0, flags }, 1)
      const error = yield* Effect.flip(listen(createServer(), { host: "127.0.0.1", port, flags }, 1))
      assert.strictEqual(
        error.message,
        `cannot listen on 127.0.0.1:${port}: the port is in use; stop the program that listens there, or choose another with --port`,
      )
    }).pipe(Effect.scoped),
  )
})
