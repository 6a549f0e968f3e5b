import { describe, expect, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { vi } from "vitest"
import { SignalCatcher } from "../../src/cli/SignalCatcher.js"
import { stopSignals } from "../../src/cli/StopSignal.js"

const listeners = (): number => process.listenerCount("SIGTERM") + process.listenerCount("SIGINT")

describe("the signals that ask to stop", () => {
  it.scoped("are kept until somebody takes them", () =>
    Effect.gen(function* () {
      const signals = yield* stopSignals
      process.emit("SIGTERM", "SIGTERM")
      process.emit("SIGINT", "SIGINT")
      expect([...(yield* Queue.takeAll(signals))]).toEqual(["SIGTERM", "SIGINT"])
    }),
  )

  it.scoped("count once where the same comes twice at once, as npm sends a Ctrl-C", () =>
    Effect.gen(function* () {
      const signals = yield* stopSignals
      process.emit("SIGINT", "SIGINT")
      process.emit("SIGINT", "SIGINT")
      expect(yield* Queue.size(signals)).toBe(1)
    }),
  )

  it.effect("are kept from before somebody wants them, where the program began to catch them", () =>
    Effect.gen(function* () {
      const catcher = SignalCatcher.start()
      process.emit("SIGTERM", "SIGTERM")
      const before = listeners()
      const take = Effect.scoped(
        Effect.gen(function* () {
          const signals = yield* stopSignals
          process.emit("SIGINT", "SIGINT")
          return [...(yield* Queue.takeAll(signals))]
        }),
      )
      expect(yield* take).toEqual(["SIGTERM", "SIGINT"])
      expect(listeners()).toBe(before)
      expect(SignalCatcher.current).toBe(catcher)
      catcher.stop()
      expect(listeners()).toBe(before - 2)
    }),
  )

  it.scoped("end the process where it stands at the third", () =>
    Effect.gen(function* () {
      const exit = vi.spyOn(process, "exit").mockImplementation((code) => {
        throw new Error(`exit ${code}`)
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => exit.mockRestore()))
      yield* stopSignals
      process.emit("SIGTERM", "SIGTERM")
      process.emit("SIGINT", "SIGINT")
      expect(() => process.emit("SIGTERM", "SIGTERM")).toThrow("exit 1")
    }),
  )

  it.effect("are no longer caught when the scope is closed", () =>
    Effect.gen(function* () {
      const before = listeners()
      yield* Effect.scoped(
        Effect.zipRight(
          stopSignals,
          Effect.sync(() => expect(listeners()).toBe(before + 2)),
        ),
      )
      expect(listeners()).toBe(before)
    }),
  )
})
