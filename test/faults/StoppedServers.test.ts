import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { request } from "../support/HttpText.js"
import { clientAt, frame, handshake, Survival, survives } from "./Survival.js"

/** Runs something while the server does not run, and lets it go on in any case. */
const whileStopped = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Survival, ({ struck }) =>
    Effect.acquireUseRelease(
      struck.signal("SIGSTOP"),
      () => work,
      () => struck.signal("SIGCONT"),
    ),
  )

layer(Survival.layer({ flags: ["--timeout", "0.5"] }), { excludeTestServices: true })(
  "a server that is stopped (SIGSTOP)",
  (it) => {
    it.scoped("costs its own clients a 504 when their time is over, and others nothing", () =>
      Effect.gen(function* () {
        const { asksSteady, connect } = yield* Survival
        yield* survives(
          Effect.gen(function* () {
            // One on a connection that is there, others on new ones: the kernel takes them in.
            const known = yield* clientAt("/whole")
            yield* known.response()
            yield* whileStopped(
              Effect.gen(function* () {
                const clients = yield* Effect.all([Effect.succeed(known), connect, connect])
                for (const client of clients) yield* client.send(request("GET /struck/whole"))
                for (let count = 0; count < 50; count++) yield* asksSteady
                for (const client of clients) assert.strictEqual((yield* client.response()).status, 504)
              }),
            )
            assert.strictEqual((yield* known.ask(request("GET /struck/whole"))).status, 200)
          }),
        )
      }),
    )

    it.scoped("for less than the timeout is only late", () =>
      Effect.gen(function* () {
        const { asksSteady, connect } = yield* Survival
        yield* survives(
          Effect.gen(function* () {
            const client = yield* connect
            yield* whileStopped(Effect.zipRight(client.send(request("GET /struck/whole")), asksSteady))
            assert.strictEqual((yield* client.response()).status, 200)
          }),
        )
      }),
    )

    it.scoped("loses nothing of a WebSocket that goes on behind it", () =>
      survives(
        Effect.gen(function* () {
          const { asksSteady } = yield* Survival
          const client = yield* clientAt("/socket", handshake)
          yield* client.seen("\r\n\r\n")
          const numbers = Array.from({ length: 20 }, (_, index) => `number ${index};`)
          // Longer than the timeout, which is for heads alone.
          yield* whileStopped(
            Effect.gen(function* () {
              yield* client.send(frame(numbers.join("").slice(0, 100)))
              yield* Effect.sleep(600)
              yield* asksSteady
            }),
          )
          yield* client.seen(numbers.join("").slice(0, 100))
        }),
      ),
    )
  },
)
