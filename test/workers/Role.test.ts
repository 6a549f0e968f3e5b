import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Queue } from "effect"
import { Channel } from "../../src/workers/Channel.js"
import { cut, protocol, reopenLog, retire, setLogLevel, start } from "../../src/workers/Messages.js"
import { takeRole } from "../../src/workers/Role.js"
import { wirePair } from "./WirePair.js"

const task = { words: [], number: 1, count: 2, generation: 1, pseudonym: "p", ownListeners: [] }

describe("the role of a worker", () => {
  it.scoped("has what was ordered before the worker knew what it is", () =>
    Effect.gen(function* () {
      const { ends } = wirePair()
      const supervisor = yield* Channel.make(ends[0])
      const taking = yield* Effect.fork(Effect.flatMap(Channel.make(ends[1]), takeRole))
      yield* Effect.yieldNow()
      supervisor.tell(start, { ...task, protocol, version: "1" })
      supervisor.tell(retire, { othersGoOn: false })
      supervisor.tell(retire, { othersGoOn: true })
      supervisor.tell(cut, {})
      supervisor.tell(setLogLevel, { level: "debug" })
      supervisor.tell(reopenLog, {})
      const { logging, orders } = yield* Fiber.join(taking)
      const taken = yield* Queue.takeN(orders, 3)
      assert.deepStrictEqual(Chunk.toReadonlyArray(taken), ["drain", "retire", "cut"])
      const asked = yield* Queue.takeN(logging, 2)
      assert.deepStrictEqual(Chunk.toReadonlyArray(asked), [{ _tag: "Level", level: "debug" }, { _tag: "Reopen" }])
    }),
  )
})
