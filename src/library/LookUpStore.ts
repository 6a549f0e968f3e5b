import { Effect, Layer, Option } from "effect"
import { StoreUnavailable } from "../domain/ProxyError.js"
import { Session } from "../domain/Session.js"
import { defaultPolicy } from "../domain/SessionPolicy.js"
import { SessionRepo, type SessionRow } from "../sessions/SessionRepo.js"
import { boundTo } from "../sessions/UsablePolicy.js"
import { type SessionInput, sessionOf } from "./SessionInput.js"

/**
 * Says where a session's server is; `undefined`: there is no such session. `signal` is aborted when nobody waits for it any
 * more. If it throws or rejects, requests for the session are answered with 503.
 */
export type LookUp = (
  id: string,
  signal: AbortSignal,
) => SessionInput | string | undefined | Promise<SessionInput | string | undefined>

const noList = new StoreUnavailable({
  problem: "sessions that a function looks up cannot be counted or listed",
  hint: "Ask where that function gets them from.",
})

const noWrites = new StoreUnavailable({
  problem: "sessions that a function looks up cannot be changed here",
  hint: "Change them where that function gets them from.",
})

const rowOf = (id: string, found: SessionInput | string | undefined): Option.Option<SessionRow> => {
  if (found === undefined) return Option.none()
  const { policy, ...given } = sessionOf(id, found)
  const whole = { ...defaultPolicy, ...boundTo(given.url, policy) }
  return Option.some({ session: new Session({ ...given, policy: whole, createdAt: null, updatedAt: null }) })
}

/** So many sessions that are in use are looked up anew at a time. */
const atATime = 16

/** Sessions that a function knows. What it says holds for `lookUpEvery` milliseconds; then who is in use is looked up anew. */
export const layerLookUp = (lookUp: LookUp, lookUpEvery: number): Layer.Layer<SessionRepo> => {
  const find = (id: string): Effect.Effect<Option.Option<SessionRow>, StoreUnavailable> =>
    Effect.tryPromise({
      try: async (signal) => rowOf(id, await lookUp(id, signal)),
      catch: (cause) =>
        new StoreUnavailable({
          problem: `the function lookUp failed: ${cause instanceof Error ? cause.message : String(cause)}`,
          hint: "Correct it, or what it asks.",
          cause,
        }),
    })
  return Layer.succeed(SessionRepo, {
    find,
    findMany: (ids) =>
      Effect.map(Effect.forEach(ids, find, { concurrency: atATime }), (rows) => rows.flatMap(Option.toArray)),
    version: () => Effect.succeed(Math.floor(performance.now() / lookUpEvery)),
    count: noList,
    tally: noList,
    list: noList,
    forEachPage: () => noList,
    add: () => noWrites,
    addAll: () => noWrites,
    apply: () => noWrites,
    put: () => noWrites,
    set: () => noWrites,
    drain: () => noWrites,
    resume: () => noWrites,
    kill: () => noWrites,
    remove: () => noWrites,
  })
}
