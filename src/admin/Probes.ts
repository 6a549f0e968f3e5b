import { Effect } from "effect"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { Traffic } from "../traffic/Traffic.js"
import { type AdminAnswer, textAnswer } from "./AdminAnswer.js"
import type { AdminRoute } from "./AdminRoute.js"

/** Something that has to hold for a probe to succeed. */
interface Check {
  readonly name: string
  readonly holds: () => boolean
}

/** `ok`, or `503` where a check fails; with `verbose` a line for each. A probe does no I/O of its own. */
const probe = (path: "/livez" | "/readyz", checks: ReadonlyArray<Check>): AdminRoute => ({
  path,
  needsToken: false,
  answer: (query): Effect.Effect<AdminAnswer> =>
    Effect.sync(() => {
      const results = checks.map(({ name, holds }) => ({ name, holds: holds() }))
      const succeeds = results.every(({ holds }) => holds)
      const status = succeeds ? 200 : 503
      const failed = results.filter(({ holds }) => !holds).map(({ name }) => name)
      if (!query.has("verbose"))
        return textAnswer(status, succeeds ? "ok\n" : `not ready; what does not hold: ${failed.join(", ")}\n`)
      const lines = results.map(({ name, holds }) => `${holds ? "[+]" : "[-]"} ${name}\n`)
      return textAnswer(status, `${lines.join("")}${succeeds ? "ok" : "failed"}\n`)
    }),
})

/** Whoever answers is alive. */
export const livez: AdminRoute = probe("/livez", [{ name: "event loop", holds: () => true }])

/** Whether it is any use to send requests here: the proxy listens, does not drain, and could read its store when it did so last. */
export const makeReadyz: Effect.Effect<AdminRoute, never, Traffic | SessionDirectory> = Effect.gen(function* () {
  const traffic = yield* Traffic
  const directory = yield* SessionDirectory
  return probe("/readyz", [
    // This listener comes after that of the proxy, which it needs.
    { name: "listening", holds: () => true },
    { name: "not draining", holds: () => !traffic.isDraining() },
    { name: "store readable", holds: () => directory.numbers().isReadable },
  ])
})
