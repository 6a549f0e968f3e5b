import { Effect, Either } from "effect"
import type { AdminCalls } from "../admin/AdminClient.js"
import { callFailed } from "../admin/Proxies.js"
import type { TopSource } from "./TopSource.js"
import type { Action } from "./TopState.js"

/** What a key can ask of a proxy. */
export type ProxyAction = Extract<Action, { readonly session: string } | { readonly live: string }>

/** The call of an action, and what came of it where a proxy has done it. */
const callOf = (calls: AdminCalls, action: ProxyAction): Effect.Effect<string, unknown> => {
  switch (action._tag) {
    case "Kill":
      return Effect.map(
        calls.sessions.kill({ path: { id: action.session }, payload: null }),
        () => `ended what was live on ${action.session}`,
      )
    case "Drain":
      return Effect.map(
        calls.sessions.drain({ path: { id: action.session }, payload: null }),
        ({ draining_until }) => `${action.session} drains until ${draining_until ?? "now"}`,
      )
    case "Resume":
      return Effect.as(
        calls.sessions.resume({ path: { id: action.session } }),
        `${action.session} takes requests again`,
      )
    case "End":
      return Effect.as(calls.live.end({ path: { live: action.live }, payload: null }), `ended ${action.live}`)
  }
}

/**
 * Does what a key asked for, and says what came of it. What is asked of a session holds on every proxy, so one proxy is told; a
 * live thing is in one of them, so all are.
 */
export const perform = (action: ProxyAction, source: TopSource): Effect.Effect<string> =>
  Effect.gen(function* () {
    const proxies = action._tag === "End" ? source.calls : source.calls.slice(0, 1)
    const outcomes = yield* Effect.forEach(proxies, (calls) => Effect.either(callOf(calls, action)))
    const [done] = outcomes.flatMap((outcome) => (Either.isRight(outcome) ? [outcome.right] : []))
    const [failed] = outcomes.flatMap((outcome) => (Either.isLeft(outcome) ? [callFailed(outcome.left).problem] : []))
    return done ?? failed ?? "no proxy can be asked"
  })
