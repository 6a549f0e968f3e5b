import { Effect, ExecutionStrategy, Exit, Logger, Scope } from "effect"
import { ProxyConfig, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { SlotsService } from "../../src/traffic/Slots.js"
import { askedSlots } from "../../src/workers/AskedSlots.js"
import { Channel } from "../../src/workers/Channel.js"
import { keepSlots } from "../../src/workers/SlotKeeper.js"
import type { WorkerLink, WorkerWatcher } from "../../src/workers/Workers.js"
import { wirePair } from "./WirePair.js"

/** A worker in this process, and the supervisor's end of the talk with it. */
export interface WorkerInMemory {
  readonly slots: SlotsService
  /** The supervisor hears of its end. */
  readonly die: Effect.Effect<void>
  /** Its supervisor is gone: nothing comes any more. */
  readonly orphan: () => void
  /** What it sends is kept from the supervisor, until the function is called that this returns. */
  readonly stopSupervisor: () => () => void
}

const linkOf = (number: number, channel: Channel): WorkerLink => ({
  name: `1.${number}`,
  number,
  generation: 1,
  pid: 0,
  ask: (question, asked) => channel.ask(question, asked),
  askPatiently: (question, asked) => channel.askPatiently(question, asked),
  tell: (notice, told) => channel.tell(notice, told),
  hear: (notice, taker) => channel.hear(notice, taker),
  answer: (question, answerTo) => channel.answer(question, answerTo),
})

/** A supervisor that counts, and what starts a worker of it. `longestWait`: for how many milliseconds a worker waits. */
export const superviseInMemory = (given: Partial<ProxySettings>, longestWait = 60_000) =>
  Effect.gen(function* () {
    const settings = ProxyConfig.layer(given)
    const quiet = Logger.remove(Logger.defaultLogger)
    const scope = yield* Effect.scope
    const watchers = new Set<WorkerWatcher>()
    yield* Effect.provide(
      keepSlots({
        all: () => [],
        watch: (watcher) => {
          watchers.add(watcher)
          return () => void watchers.delete(watcher)
        },
      }),
      settings,
    )
    let workers = 0
    const begin: Effect.Effect<WorkerInMemory, unknown> = Effect.gen(function* () {
      const { cut, ends } = wirePair()
      const [ofSupervisor, ofWorker] = ends
      let kept: Array<() => void> | undefined
      const own = yield* Scope.fork(scope, ExecutionStrategy.sequential)
      const link = linkOf(++workers, yield* Scope.extend(Channel.make(ofSupervisor), own))
      const channel = yield* Scope.extend(
        Channel.make({
          ...ofWorker,
          send: (message) =>
            kept === undefined ? ofWorker.send(message) : void kept.push(() => ofWorker.send(message)),
        }),
        own,
      )
      for (const { came } of watchers) came?.(link)
      const slots = yield* askedSlots(channel, longestWait).pipe(Effect.provide([settings, quiet]), Scope.extend(own))
      return {
        slots,
        die: Effect.suspend(() => {
          for (const { gone } of watchers) gone?.(link)
          return Scope.close(own, Exit.void)
        }),
        orphan: cut,
        stopSupervisor: () => {
          const held: Array<() => void> = []
          kept = held
          return () => {
            kept = undefined
            for (const send of held) send()
          }
        },
      }
    })
    return begin
  })
