import { Effect } from "effect"
import { type AdminAnswer, textAnswer } from "./AdminAnswer.js"
import type { AdminRoute } from "./AdminRoute.js"
import { answersIn, Fleet } from "./fleet/Fleet.js"
import { readinessOf } from "./fleet/Processes.js"

/** Something that has to hold for a probe to succeed. */
interface Check {
  readonly name: string
  readonly holds: boolean
}

/** `ok`, or `503` where a check fails; with `verbose` a line for each. A probe does no I/O but to ask processes of the proxy. */
const probe = (path: "/livez" | "/readyz", checks: Effect.Effect<ReadonlyArray<Check>>): AdminRoute => ({
  path,
  needsToken: false,
  answer: (query): Effect.Effect<AdminAnswer> =>
    Effect.map(checks, (results) => {
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
export const livez: AdminRoute = probe("/livez", Effect.succeed([{ name: "event loop", holds: true }]))

/** Whether it is any use to send requests here: the proxy listens, does not drain, and could read its store when it did so last. */
export const makeReadyz: Effect.Effect<AdminRoute, never, Fleet> = Effect.map(Fleet, ({ ask }) => {
  const readiness = Effect.map(
    ask((process) => process.ready({})),
    (gathered) => readinessOf(answersIn(gathered)),
  )
  return probe(
    "/readyz",
    Effect.map(readiness, ({ listening, readable, taking }) => [
      // This listener comes after that of the proxy, which it needs.
      { name: "listening", holds: listening },
      { name: "not draining", holds: taking },
      { name: "store readable", holds: readable },
    ]),
  )
})
