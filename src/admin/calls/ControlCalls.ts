import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import { Effect } from "effect"
import { drainingUntil } from "../../sessions/SessionShape.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import type { CloseRequest, DrainRequest, LiveNumbers } from "../api/ControlBody.js"
import { Fleet } from "../fleet/Fleet.js"
import { liveCounts } from "../fleet/LiveThings.js"
import { makeNoting } from "./ChangeLog.js"
import { asProblems } from "./SessionWrites.js"

/** How long what is under way may take, in milliseconds, where nobody says otherwise. */
const defaultGrace = 30_000

interface ControlRequest {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly path: { readonly id: string }
}

/** Calls that end what is live on a session. They go through the store, so that every process obeys. */
export const makeSessionControl = Effect.gen(function* () {
  const repo = yield* SessionRepo
  const fleet = yield* Fleet
  const noting = yield* makeNoting

  const liveOn = (id: string): Effect.Effect<typeof LiveNumbers.Type> =>
    Effect.map(liveCounts(fleet, [id]), (counts) => {
      const { requests = 0, streams = 0, websockets = 0 } = counts.get(id) ?? {}
      return { requests, streams, websockets }
    })
  const noted = <A, E>({ path, request }: ControlRequest, change: Effect.Effect<A, E>) =>
    noting(request, change, () => ({ session: path.id }))

  const drain = (asked: ControlRequest & { readonly payload: typeof DrainRequest.Type }) =>
    Effect.gen(function* () {
      const { id } = asked.path
      const draining = yield* noted(asked, repo.drain(id, asked.payload?.grace ?? defaultGrace))
      return { draining_until: drainingUntil(draining) ?? null, live: yield* liveOn(id) }
    }).pipe(asProblems)

  const resume = (asked: ControlRequest) => Effect.asVoid(noted(asked, repo.resume(asked.path.id))).pipe(asProblems)

  const kill = (asked: ControlRequest & { readonly payload: typeof CloseRequest.Type }) =>
    Effect.gen(function* () {
      const live = yield* liveOn(asked.path.id)
      yield* noted(asked, repo.kill(asked.path.id, asked.payload ?? {}))
      return live
    }).pipe(asProblems)

  return { drain, resume, kill }
})
