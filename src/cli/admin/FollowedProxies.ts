import { Effect, Exit, FiberMap, Option, Queue, Scope, Stream } from "effect"
import type { ServerEvent } from "../../wire/EventReader.js"
import type { Database } from "../Database.js"
import type { CommandFailed } from "../Failure.js"
import { printDiagnostic } from "../Output.js"
import { type AdminPlace, nameOf } from "./AdminPlace.js"
import { openEvents } from "./EventStream.js"
import { noProxy, runningPlaces } from "./Proxies.js"

/** How long to wait before proxies are looked for again, in milliseconds: at first, and at most. */
const [firstWait, longestWait] = [500, 15_000]

/** Events wait here until they are taken; meanwhile their streams are not read. */
const mostWaiting = 64

/**
 * The events of a stream of all proxies that run on the database, or of the one that was named, as they come. A proxy whose stream ends
 * is looked for again, and so are new ones: a proxy that was started again has another socket. What happens to a stream is said
 * on standard error. Fails where no stream can be had at the beginning.
 */
export const followProxies = (
  given: Option.Option<string>,
  database: Database,
  path: string,
): Stream.Stream<ServerEvent, CommandFailed> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const events = yield* Queue.bounded<ServerEvent>(mostWaiting)
      const followed = yield* FiberMap.make<string>()
      let wasLost = false

      /** Begins to follow the proxy at a place, until its stream ends. */
      const follow = (place: AdminPlace) =>
        Effect.gen(function* () {
          const scope = yield* Scope.make()
          const stream = yield* Effect.onError(Scope.extend(openEvents(place, path), scope), (cause) =>
            Scope.close(scope, Exit.failCause(cause)),
          )
          if (wasLost) yield* printDiagnostic(`note: reading ${nameOf(place)}`)
          const reading = Stream.runForEach(stream, (event) => Queue.offer(events, event)).pipe(
            Effect.matchEffect({
              onFailure: ({ problem }) => lost(place, problem),
              onSuccess: () => lost(place, "it has stopped"),
            }),
            Effect.ensuring(Scope.close(scope, Exit.void)),
          )
          yield* FiberMap.run(followed, nameOf(place), reading)
        })
      const lost = (place: AdminPlace, problem: string) => {
        wasLost = true
        return printDiagnostic(`note: ${nameOf(place)}: ${problem}; looking for proxies again`)
      }

      /** Whether there was somebody new. */
      const look = Effect.gen(function* () {
        const places = yield* runningPlaces(given, database)
        const fresh = yield* Effect.filter(places, (place) =>
          Effect.map(FiberMap.has(followed, nameOf(place)), (isFollowed) => !isFollowed),
        )
        yield* Effect.forEach(fresh, follow, { discard: true })
        return fresh.length > 0
      })

      if (!(yield* look)) return yield* noProxy(database)
      let wait = firstWait
      const lookAgain = Effect.gen(function* () {
        yield* Effect.sleep(wait)
        const found = yield* Effect.orElseSucceed(look, () => false)
        const isAlone = (yield* FiberMap.size(followed)) === 0
        wait = found || !isAlone ? firstWait : Math.min(wait * 2, longestWait)
      })
      yield* Effect.forkScoped(Effect.forever(lookAgain))
      return Stream.fromQueue(events)
    }),
  )
