import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, TestClock } from "effect"
import { build } from "esbuild"
import { spawn } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "../sessions/temporary.js"
import { Channel, wireTo } from "../../src/workers/Channel.js"
import { notice, question } from "../../src/workers/Messages.js"
import { doubled, note } from "./Talk.js"
import { wirePair } from "./WirePair.js"

const talk = Effect.gen(function* () {
  const pair = wirePair()
  const [one, other] = [yield* Channel.make(pair.ends[0]), yield* Channel.make(pair.ends[1])]
  return { ...pair, one, other }
})

describe("the talk between supervisor and worker", () => {
  it.scoped("carries notices, and questions in both directions, some of them at a time", () =>
    Effect.gen(function* () {
      const { one, other } = yield* talk
      const heard = yield* Deferred.make<string>()
      other.hear(note, (text) => Deferred.unsafeDone(heard, Effect.succeed(text)))
      one.tell(note, "good morning")
      assert.strictEqual(yield* Deferred.await(heard), "good morning")
      const slow = yield* Deferred.make<void>()
      other.answer(doubled, (number) => Effect.as(number === 1 ? Deferred.await(slow) : Effect.void, number * 2))
      one.answer(doubled, (number) => Effect.succeed(number * 20))
      const first = yield* Effect.fork(one.ask(doubled, 1))
      assert.strictEqual(yield* one.ask(doubled, 2), 4)
      assert.strictEqual(yield* other.ask(doubled, 2), 40)
      yield* Deferred.succeed(slow, undefined)
      assert.strictEqual(yield* Fiber.join(first), 2)
    }),
  )

  it.scoped("gives up after a second, and takes no notice of an answer that comes later", () =>
    Effect.gen(function* () {
      const { one, other } = yield* talk
      const asked = yield* Deferred.make<void>()
      other.answer(doubled, () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never))
      const asking = yield* Effect.fork(Effect.flip(one.ask(doubled, 1)))
      yield* Deferred.await(asked)
      yield* TestClock.adjust(1_000)
      assert.strictEqual((yield* Fiber.join(asking)).reason, "late")
    }),
  )

  it.scoped("waits as long as it takes for an answer that is not given twice", () =>
    Effect.gen(function* () {
      const { cut, one, other } = yield* talk
      const [asked, slow] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      other.answer(doubled, (number) =>
        Effect.as(Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(slow)), number * 2),
      )
      const [first, second] = [yield* Effect.fork(one.askPatiently(doubled, 1)), yield* Deferred.make<string>()]
      yield* Deferred.await(asked)
      yield* TestClock.adjust(60_000)
      yield* Deferred.succeed(slow, undefined)
      assert.strictEqual(yield* Fiber.join(first), 2)
      other.answer(doubled, () => Effect.never)
      const unanswered = Effect.flatMap(Effect.flip(one.askPatiently(doubled, 1)), ({ reason }) =>
        Deferred.succeed(second, reason),
      )
      yield* Effect.fork(unanswered)
      yield* Effect.yieldNow()
      cut()
      assert.strictEqual(yield* Deferred.await(second), "gone")
    }),
  )

  it.scoped("refuses what it does not know, what does not fit, and what ends in a defect", () =>
    Effect.gen(function* () {
      const { inject, one, other } = yield* talk
      const ask = (asked: number) => Effect.map(Effect.flip(one.ask(doubled, asked)), ({ reason }) => reason)
      assert.strictEqual(yield* ask(1), "refused")
      const loose = question("doubled", Schema.String, Schema.String)
      other.answer(loose, Effect.succeed)
      assert.strictEqual(yield* ask(1), "refused")
      other.answer(question("doubled", Schema.Number, Schema.String), () => Effect.succeed("two"))
      assert.strictEqual(yield* ask(1), "unreadable")
      other.answer(doubled, () => Effect.die("broken"))
      assert.strictEqual(yield* ask(1), "refused")
      let heard = 0
      one.hear(note, () => heard++)
      for (const stranger of [null, "text", { kind: "notice", name: "note", body: 1 }, { kind: "other" }])
        inject(stranger)
      other.tell(notice("unheard", Schema.Null), null)
      other.tell(note, "well-formed")
      other.answer(doubled, (number) => Effect.succeed(number * 2))
      assert.strictEqual(yield* one.ask(doubled, 1), 2)
      assert.strictEqual(heard, 1)
    }),
  )

  it.scoped("tells whoever waits for an answer that the other side is gone", () =>
    Effect.gen(function* () {
      const { cut, one, other } = yield* talk
      const asked = yield* Deferred.make<void>()
      other.answer(doubled, () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never))
      const asking = yield* Effect.fork(Effect.flip(one.ask(doubled, 1)))
      yield* Deferred.await(asked)
      cut()
      assert.strictEqual((yield* Fiber.join(asking)).reason, "gone")
      yield* one.closed
      assert.isFalse(one.isOpen)
      assert.strictEqual((yield* Effect.flip(one.ask(doubled, 1))).reason, "gone")
    }),
  )

  it.scoped("goes on between two processes, until one of them is gone", () =>
    Effect.gen(function* () {
      const outfile = join(yield* temporaryFolder, "child.mjs")
      const entry = fileURLToPath(new URL("TalkingChild.ts", import.meta.url))
      const options = { bundle: true, platform: "node", format: "esm", logLevel: "error" } as const
      yield* Effect.promise(() => build({ entryPoints: [entry], outfile, ...options }))
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => spawn(process.execPath, [outfile], { stdio: ["ignore", "inherit", "inherit", "ipc"] })),
        (child) => Effect.sync(() => child.kill("SIGKILL")),
      )
      const channel = yield* Channel.make(wireTo(child))
      const heard = yield* Deferred.make<string>()
      channel.hear(note, (text) => Deferred.unsafeDone(heard, Effect.succeed(text)))
      assert.strictEqual(yield* Deferred.await(heard), "here")
      assert.strictEqual(yield* channel.ask(doubled, 21), 42)
      channel.tell(note, "leave")
      yield* channel.closed
    }),
  )
})
