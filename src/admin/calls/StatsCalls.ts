import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Either } from "effect"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { AdminApi } from "../api/AdminApi.js"
import { type ApiProblem, invalidRequest } from "../api/ApiProblem.js"
import { mostNamed } from "../api/StatsGroup.js"
import { Sampler } from "../Sampler.js"
import { answersIn, Fleet } from "../fleet/Fleet.js"
import { mostOf } from "../fleet/SessionsSeen.js"
import { makeSessionChanges } from "./NamedSessions.js"
import { eventText } from "../fleet/EventText.js"
import { serverEvents } from "./ServerEvents.js"
import { sampleView, timestamp } from "../fleet/Shapes.js"
import { jsonArraySliced } from "../fleet/Sliced.js"
import { makeStoreWatch, type StoreState } from "./StoreWatch.js"

const storeView = ({ lastOkAt, problem }: StoreState) => ({
  state: problem === undefined ? ("ok" as const) : ("failing" as const),
  last_ok_at: lastOkAt === undefined ? null : timestamp(lastOkAt),
  problem: problem ?? null,
})

/** The ids of `?sessions=a,b`, as the query has them: each is percent-encoded, so that one may hold a comma. */
export const namedIn = (url: string): Either.Either<ReadonlyArray<string>, ApiProblem> => {
  const given = /[?&]sessions=([^&#]*)/.exec(url)?.[1] ?? ""
  const parts = given.split(",").filter((part) => part !== "")
  const refuse = (detail: string) =>
    Either.left(invalidRequest("sessions cannot be used.", [{ path: "sessions", detail }]))
  if (parts.length > mostNamed) return refuse(`There may be ${mostNamed} ids at most.`)
  return Either.orElse(
    Either.try(() => Array.from(new Set(parts.map((part) => decodeURIComponent(part))))),
    () => refuse("Each id has to be percent-encoded."),
  )
}

/** Calls about how much there is to do. */
export const layerStatsCalls = HttpApiBuilder.group(AdminApi, "stats", (handlers) =>
  Effect.gen(function* () {
    const sampler = yield* Sampler
    const fleet = yield* Fleet
    const counters = yield* Telemetry
    const watch = yield* makeStoreWatch(yield* SessionRepo)
    const context = yield* Effect.context<SessionRepo | Fleet>()

    /** Waits for the next second. Open at first: who comes is told at once. */
    const seconds = Effect.gen(function* () {
      const latch = yield* Effect.makeLatch(true)
      // A plain call tells of a sample, hence the latch's "unsafe" one: it does the same, and is no Effect.
      yield* Effect.acquireRelease(
        Effect.sync(() => sampler.listen(() => void latch.unsafeOpen())),
        (leave) => Effect.sync(leave),
      )
      return Effect.zipRight(latch.await, latch.close)
    })

    /** The event of each second. Who reads slowly gets that of the newest, and what has changed since the last one it took. */
    const eventsFor = (ids: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const second = yield* seconds
        const changes = yield* Effect.provide(makeSessionChanges(ids), context)
        return Effect.gen(function* () {
          yield* second
          const sample = eventText("stats", JSON.stringify(sampleView(sampler.latest)))
          const changed = yield* changes
          return changed.length === 0 ? sample : sample + eventText("sessions", JSON.stringify({ sessions: changed }))
        })
      })

    return handlers
      .handle("events", ({ request }) => Effect.flatMap(namedIn(request.url), (ids) => serverEvents(eventsFor(ids))))
      .handle("latest", () =>
        Effect.gen(function* () {
          const store = storeView(yield* watch.state)
          const tally = yield* watch.tally
          const { forwarding = null, others = null } = tally ?? {}
          const known = yield* fleet.ask((process) => process.known({}))
          const draining = yield* fleet.ask((process) => process.draining({}))
          const sessions = {
            known: mostOf(answersIn(known)),
            draining: mostOf(answersIn(draining)),
            forwarding,
            others,
          }
          return {
            sample: sampleView(sampler.latest),
            sessions,
            store,
            process: counters.process,
            missing: known.missing,
          }
        }),
      )
      .handle("history", () =>
        Effect.gen(function* () {
          const { history } = sampler
          const ages = Array.from({ length: history.size }, (_, index) => history.size - 1 - index)
          const samples = yield* jsonArraySliced(ages, (age) => sampleView(history.before(age)))
          return HttpServerResponse.text(`{"interval_seconds":1,"samples":${samples},"missing":[]}`, {
            contentType: "application/json",
          })
        }),
      )
  }),
)
