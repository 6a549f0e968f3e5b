import { Effect, Runtime } from "effect"
import type { TrafficView } from "../../traffic/Traffic.js"

/** Time limit for the end of the process once no traffic should be left, in milliseconds. */
export const endTime = 900

/** The longest delay of a Node timer, in milliseconds. */
const longestDelay = 2 ** 31 - 1

/** Number of remaining exchanges and WebSockets that are named in the log. */
const maxNamed = 5

const named = ({ kind, sessionId, requestId }: TrafficView): string => `${kind} ${sessionId} ${requestId}`

/** The resources that keep the process alive, as Node names them: `TCPSocketWrap=2 Timeout=1`. */
const resources = (): string => {
  const counts = new Map<string, number>()
  for (const resource of process.getActiveResourcesInfo()) counts.set(resource, (counts.get(resource) ?? 0) + 1)
  return Array.from(counts, ([resource, count]) => `${resource}=${count}`).join(" ")
}

const logLeft = (live: ReadonlyArray<TrafficView>): Effect.Effect<void> =>
  Effect.logError("not everything stopped in time, so the process exits now; please report it").pipe(
    Effect.annotateLogs({
      left: live.length,
      ...(live.length === 0 ? {} : { among_them: live.slice(0, maxNamed).map(named).join(", ") }),
      resources: resources(),
    }),
  )

/** The ends that are planned. */
const ahead = new Set<NodeJS.Timeout>()

/**
 * Ends the process with exit code 0 after this time, unless it has ended before, and logs what was `left`. It works
 * even if a socket, fiber or finalizer never ends. Its timer does not keep the process alive. It may be called more
 * than once; the earliest end counts.
 */
export const endProcessWithin = (
  milliseconds: number,
  left: Effect.Effect<ReadonlyArray<TrafficView>>,
): Effect.Effect<void> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const end = (): void => {
      try {
        Runtime.runSync(runtime)(Effect.flatMap(left, logLeft))
      } finally {
        process.exit(0)
      }
    }
    ahead.add(setTimeout(end, Math.min(milliseconds, longestDelay)).unref())
  })

/** Cancels every end that `endProcessWithin` has planned. */
export const callOffEnd: Effect.Effect<void> = Effect.sync(() => {
  for (const timer of ahead) clearTimeout(timer)
  ahead.clear()
})
