import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "../sessions/temporary.js"
import { request } from "../support/HttpText.js"
import { ServerProcess } from "./ServerProcess.js"
import { startSurvival, Survival, survives } from "./Survival.js"

const preload = fileURLToPath(new URL("./processes/Names.mjs", import.meta.url))

/** What a name is at a moment. */
interface Name {
  readonly addresses?: ReadonlyArray<string>
  readonly error?: string
  /** Milliseconds that a look-up takes. */
  readonly delay?: number
}

/** The names that the proxy finds, and a server that has them. */
class Names extends Context.Tag("test/Names")<
  Names,
  {
    readonly say: (names: Readonly<Record<string, Name>>) => void
    readonly server: ServerProcess
  }
>() {}

/** A proxy with sessions whose servers have names: `named` and `slow`. */
const named = Layer.scopedContext(
  Effect.gen(function* () {
    const file = join(yield* temporaryFolder, "names.json")
    const say = (names: Readonly<Record<string, Name>>): void => writeFileSync(file, JSON.stringify(names))
    say({})
    const server = yield* ServerProcess.start
    const survival = yield* startSurvival({
      sessions: { named: `http://server.test:${server.port}`, slow: `http://slow.test:${server.port}` },
      flags: ["--connect-timeout", "0.5"],
      within: ["env", `NODE_OPTIONS=--import=${preload}`, `NAMES_FILE=${file}`],
    })
    return Context.make(Survival, survival).pipe(Context.add(Names, { say, server }))
  }),
)

/** The answer to a request of a session: status, and code or content. */
const answerOf = (id: string) =>
  Effect.gen(function* () {
    const client = yield* (yield* Survival).connect
    const { status, text } = yield* client.ask(request(`GET /${id}/whole`))
    return `${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? text}`
  }).pipe(Effect.scoped)

layer(named, { excludeTestServices: true })("a server's name", (it) => {
  it.scoped("that is not found is asked for again with each request; one that was found is not missed", () =>
    Effect.gen(function* () {
      const { say, server } = yield* Names
      yield* survives(
        Effect.gen(function* () {
          for (const error of ["ENOTFOUND", "EAI_AGAIN"]) {
            say({ "server.test": { error } })
            assert.strictEqual(yield* answerOf("named"), "502 downstream_unreachable")
          }
          say({ "server.test": { addresses: ["127.0.0.1"] } })
          assert.strictEqual(yield* answerOf("named"), "200 hello")
          // The connection is there, so nobody asks.
          say({ "server.test": { error: "ENOTFOUND" } })
          assert.strictEqual(yield* answerOf("named"), "200 hello")
          yield* Effect.zipRight(server.kill, server.restart)
        }),
      )
    }),
  )

  it.scoped("that leads elsewhere from now on is followed when a connection is made", () =>
    Effect.gen(function* () {
      const { say, server } = yield* Names
      yield* survives(
        Effect.gen(function* () {
          // Nobody listens on this address.
          say({ "server.test": { addresses: ["127.0.0.77"] } })
          assert.strictEqual(yield* answerOf("named"), "502 downstream_unreachable")
          say({ "server.test": { addresses: ["127.0.0.77", "127.0.0.1"] } })
          assert.strictEqual(yield* answerOf("named"), "200 hello")
          yield* server.kill
          say({ "server.test": { addresses: ["169.254.169.254"] } })
          assert.strictEqual(yield* answerOf("named"), "502 downstream_unreachable")
          yield* server.restart
        }),
      )
    }),
  )

  it.scoped(
    "that is looked up for longer than a connection may take costs its own clients a 502, and others nothing",
    () =>
      Effect.gen(function* () {
        const { say, server } = yield* Names
        const { asksSteady } = yield* Survival
        yield* survives(
          Effect.gen(function* () {
            say({
              "slow.test": { addresses: ["127.0.0.1"], delay: 1_500 },
              "server.test": { addresses: ["127.0.0.1"] },
            })
            const clients = Array.from({ length: 8 }, () => answerOf("slow"))
            const slow = yield* Effect.fork(Effect.all(clients, { concurrency: "unbounded" }))
            for (let count = 0; count < 20; count++) yield* asksSteady
            assert.strictEqual(yield* answerOf("named"), "200 hello")
            for (const answer of yield* Fiber.join(slow)) assert.strictEqual(answer, "502 downstream_unreachable")
            say({ "slow.test": { addresses: ["127.0.0.1"] } })
            // The look-up that is under way is shared.
            yield* Effect.repeat(answerOf("slow"), { until: (answer) => answer === "200 hello" })
            yield* Effect.zipRight(server.kill, server.restart)
          }),
        )
      }),
  )
})
