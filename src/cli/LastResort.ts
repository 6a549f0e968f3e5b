import { Effect, Runtime } from "effect"
import type { TrafficView } from "../traffic/Traffic.js"

/** How long a proxy on which nothing is under way any more, or should be, may take to end. Milliseconds. */
export const endTime = 900

/** The longest time that a timer of node's takes. */
const longestTime = 2 ** 31 - 1

/** So much of what is left is named. */
const mostNamed = 5

const named = ({ kind, sessionId, requestId }: TrafficView): string => `${kind} ${sessionId} ${requestId}`

/** What keeps the process alive, as node counts it: `TCPSocketWrap=2 Timeout=1`. */
const resources = (): string => {
  const counts = new Map<string, number>()
  for (const resource of process.getActiveResourcesInfo()) counts.set(resource, (counts.get(resource) ?? 0) + 1)
  return Array.from(counts, ([resource, count]) => `${resource}=${count}`).join(" ")
}

const tell = (live: ReadonlyArray<TrafficView>): Effect.Effect<void> =>
  Effect.logError("not everything ended in time: the process is ended where it stands; please report it").pipe(
    Effect.annotateLogs({
      left: live.length,
      ...(live.length === 0 ? {} : { among_them: live.slice(0, mostNamed).map(named).join(", ") }),
      resources: resources(),
    }),
  )

/** The ends that are to come. */
const ahead = new Set<NodeJS.Timeout>()

/**
 * Ends the process with 0 in so many milliseconds, unless it has ended by itself before, and says in the log what was
 * `left` then. No socket, fiber or finalizer that never ends can hold it up, and it holds nothing up itself: where it is
 * called more than once, the earliest end counts.
 */
export const endProcessWithin = (
  milliseconds: number,
  left: Effect.Effect<ReadonlyArray<TrafficView>>,
): Effect.Effect<void> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const end = (): void => {
      try {
        Runtime.runSync(runtime)(Effect.flatMap(left, tell))
      } finally {
        process.exit(0)
      }
    }
    ahead.add(setTimeout(end, Math.min(milliseconds, longestTime)).unref())
  })

/** Everything has ended that could have held the process up: it is not ended any more where it stands. */
export const callOffEnd: Effect.Effect<void> = Effect.sync(() => {
  for (const timer of ahead) clearTimeout(timer)
  ahead.clear()
})
