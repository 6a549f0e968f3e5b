import { Effect } from "effect"
import { constants, gzip } from "node:zlib"
import type { AdminAnswer } from "./AdminAnswer.js"

/** Whether an answer may be compressed with gzip, by the `Accept-Encoding` of a request (RFC 9110 section 12.5.3). */
export const takesGzip = (acceptEncoding: string | undefined): boolean =>
  /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?=,|$)/i.test(acceptEncoding ?? "")

/** What is shorter, in bytes, fits into a packet as it is. */
const leastBytes = 1_400

/**
 * An answer as it goes to a client that sent this `Accept-Encoding`. Compressed quickly rather than well, and by a thread, so
 * that traffic does not wait for it.
 */
export const compressedFor = (acceptEncoding: string | undefined, answer: AdminAnswer): Effect.Effect<AdminAnswer> => {
  if (Buffer.byteLength(answer.body) < leastBytes) return Effect.succeed(answer)
  const fields = [...(answer.fields ?? []), ["Vary", "Accept-Encoding"] as const]
  if (!takesGzip(acceptEncoding)) return Effect.succeed({ ...answer, fields })
  return Effect.async((resume) => {
    gzip(answer.body, { level: constants.Z_BEST_SPEED }, (error, body) =>
      resume(
        error === null
          ? Effect.succeed({ ...answer, body, fields: [...fields, ["Content-Encoding", "gzip"] as const] })
          : Effect.die(error),
      ),
    )
  })
}
