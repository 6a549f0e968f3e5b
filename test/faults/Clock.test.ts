import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "../sessions/temporary.js"
import { eventually, type NotSeen } from "../support/Changes.js"
import { request } from "../support/HttpText.js"
import { runTool } from "../support/Tool.js"
import { binary } from "../support/BuiltProgram.js"
import { clientAt, frame, handshake, startSurvival, Survival, survives } from "./Survival.js"

const preload = fileURLToPath(new URL("./processes/Clock.mjs", import.meta.url))
const day = 86_400_000

/** Sets the proxy's clock so many milliseconds ahead of this machine's, and waits until it is. */
class Clock extends Context.Tag("test/Clock")<Clock, (offset: number) => Effect.Effect<void, NotSeen>>() {}

const dateOf = Effect.gen(function* () {
  const client = yield* (yield* Survival).connect
  return Date.parse((yield* client.ask(request("GET /health"))).value("date") ?? "")
}).pipe(Effect.scoped)

const jumping = Layer.scopedContext(
  Effect.gen(function* () {
    const file = join(yield* temporaryFolder, "offset")
    writeFileSync(file, "0")
    const survival = yield* startSurvival({
      flags: ["--timeout", "60", "--activity-interval", "0.1", "--ws-ping", "60", "--keep-alive-timeout", "60"],
      within: ["env", `NODE_OPTIONS=--import=${preload}`, `CLOCK_FILE=${file}`],
    })
    const jump = (offset: number) =>
      Effect.gen(function* () {
        writeFileSync(file, String(offset))
        yield* survival.proxy.signal("SIGWINCH")
        const isSet = Effect.map(dateOf, (date) => Math.abs(date - Date.now() - offset) < 10_000)
        yield* Effect.provideService(eventually(isSet, "the clock"), Survival, survival)
      })
    return Context.make(Survival, survival).pipe(Context.add(Clock, jump))
  }),
)

layer(jumping, { excludeTestServices: true })("a clock that jumps by a day", (it) => {
  it.scoped.each([
    ["ahead", day],
    ["back", -day],
  ] as const)("%s ends nothing that is under way or kept", ([_name, offset]) =>
    Effect.gen(function* () {
      const jump = yield* Clock
      const { connect } = yield* Survival
      yield* survives(
        Effect.gen(function* () {
          const kept = yield* connect
          assert.strictEqual((yield* kept.ask(request("GET /struck/whole"))).status, 200)
          const waiting = yield* clientAt("/before-head")
          const stream = yield* clientAt("/mid-stream")
          const socket = yield* clientAt("/socket", handshake)
          yield* jump(offset)
          // Two rounds of whatever looks at clocks twice a second.
          yield* Effect.sleep(1_200)
          assert.strictEqual((yield* kept.ask(request("GET /struck/whole"))).status, 200)
          yield* socket.send(frame("still here"))
          yield* socket.seen("still here")
          assert.deepStrictEqual([waiting.isOpen, waiting.text], [true, ""])
          assert.isTrue(stream.isOpen)
          yield* jump(0)
        }),
      )
    }),
  )

  it.scoped("does not make a drain any longer than it was to be", () =>
    Effect.gen(function* () {
      const jump = yield* Clock
      const { proxy } = yield* Survival
      yield* survives(
        Effect.gen(function* () {
          const socket = yield* clientAt("/socket", handshake)
          const drain = ["sessions", "drain", "struck", "--grace", "2s", "-d", proxy.database]
          assert.strictEqual((yield* runTool(process.execPath, [binary, ...drain])).code, 0)
          const client = yield* (yield* Survival).connect
          assert.strictEqual((yield* client.ask(request("GET /struck/whole"))).status, 503)
          yield* jump(-day)
          yield* socket.gone
          yield* jump(0)
          const resume = ["sessions", "resume", "struck", "-d", proxy.database]
          assert.strictEqual((yield* runTool(process.execPath, [binary, ...resume])).code, 0)
        }),
      )
    }),
  )
})
