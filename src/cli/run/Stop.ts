import { Effect, Queue } from "effect"
import { ProxyServer } from "../../server/ProxyServer.js"
import { Traffic } from "../../traffic/Traffic.js"
import { endProcessWithin } from "./LastResort.js"

/**
 * Waits for a signal, and stops the proxy. The first signal starts the drain, which takes at most `drainTime` milliseconds;
 * a second one cuts what is left. From the first signal on, the end of the process has a time limit: `endTime` milliseconds
 * behind the drain.
 */
export const stopAtSignal = (
  signals: Queue.Dequeue<NodeJS.Signals>,
  drainTime: number,
  endTime: number,
): Effect.Effect<void, never, ProxyServer | Traffic> =>
  Effect.gen(function* () {
    const server = yield* ProxyServer
    const { live } = yield* Traffic
    const signal = yield* Queue.take(signals)
    yield* endProcessWithin(drainTime + endTime, live)
    yield* Effect.annotateLogs(Effect.logInfo("stopping; a second signal cuts at once"), { signal })
    const impatient = Effect.gen(function* () {
      const second = yield* Queue.take(signals)
      yield* endProcessWithin(endTime, live)
      yield* Effect.annotateLogs(Effect.logWarning("cutting what is left"), { signal: second })
      yield* server.cut
    })
    yield* Effect.raceFirst(server.drain, impatient)
    yield* endProcessWithin(endTime, live)
  })
