import { Cause, Effect, Option, Runtime } from "effect"
import type { PostFailed } from "./CollectorPost.js"

/** After so long, what goes wrong again is worth another line. Milliseconds. */
const linesApart = 60_000

/** What the log is told of spans that are lost: when it begins, and when it is over. */
export interface LossLog {
  /** A batch was taken, but for so many of its spans. */
  readonly taken: (refused: number) => Effect.Effect<void>
  /** A batch was not. */
  readonly failed: (cause: Cause.Cause<PostFailed>, spans: number) => Effect.Effect<void>
  /** A span found no place to wait. A plain call. */
  readonly dropped: () => void
  /** The proxy ends, and so many spans were not sent. */
  readonly ended: (unsent: number) => Effect.Effect<void>
}

const problemOf = (cause: Cause.Cause<PostFailed>): string =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => Cause.pretty(cause),
    onSome: ({ problem }) => problem,
  })

/** Says that spans are lost at most once a minute, however many there are. */
export const makeLossLog = ({ host, pathname, protocol }: URL): Effect.Effect<LossLog> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    // Without user info and query.
    const url = `${protocol}//${host}${pathname}`
    let lost = 0
    let isFailing = false
    let toldAt = Number.NEGATIVE_INFINITY

    const warn = (message: string, fields: Record<string, unknown>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const now = performance.now()
        if (now - toldAt < linesApart) return Effect.void
        toldAt = now
        return Effect.annotateLogs(Effect.logWarning(message), { ...fields, lost, url })
      })

    return {
      taken: (refused) =>
        Effect.suspend(() => {
          lost += refused
          if (refused > 0) return warn("the collector refuses spans", {})
          if (!isFailing) return Effect.void
          isFailing = false
          const told = Effect.annotateLogs(Effect.logInfo("the collector accepts spans again"), { lost, url })
          lost = 0
          return told
        }),
      failed: (cause, spans) =>
        Effect.suspend(() => {
          lost += spans
          isFailing = true
          return warn("spans cannot be sent and are lost until they can; requests do not wait for this", {
            problem: problemOf(cause),
          })
        }),
      dropped: () => {
        lost++
        if (performance.now() - toldAt < linesApart) return
        const message =
          "more spans than the collector takes: some are lost; record fewer with OTEL_TRACES_SAMPLER=traceidratio and OTEL_TRACES_SAMPLER_ARG=0.01"
        Runtime.runFork(runtime)(warn(message, {}))
      },
      ended: (unsent) =>
        unsent === 0
          ? Effect.void
          : Effect.annotateLogs(Effect.logWarning("spans were not sent before the end"), { unsent, url }),
    }
  })
