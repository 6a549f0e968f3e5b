import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect } from "effect"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { AdminApi } from "../api/AdminApi.js"
import { Sampler } from "../Sampler.js"
import { sampleView, timestamp } from "./Shapes.js"
import { jsonArraySliced } from "./Sliced.js"
import { makeStoreWatch, type StoreState } from "./StoreWatch.js"

const storeView = ({ lastOkAt, problem }: StoreState) => ({
  state: problem === undefined ? ("ok" as const) : ("failing" as const),
  last_ok_at: lastOkAt === undefined ? null : timestamp(lastOkAt),
  problem: problem ?? null,
})

/** Calls about how much there is to do. */
export const layerStatsCalls = HttpApiBuilder.group(AdminApi, "stats", (handlers) =>
  Effect.gen(function* () {
    const sampler = yield* Sampler
    const directory = yield* SessionDirectory
    const counters = yield* Telemetry
    const watch = yield* makeStoreWatch(yield* SessionRepo)
    return handlers
      .handle("latest", () =>
        Effect.gen(function* () {
          const store = storeView(yield* watch.state)
          const tally = yield* watch.tally
          const { forwarding = null, others = null } = tally ?? {}
          const { entries: known } = directory.numbers()
          const sessions = { known, draining: directory.draining(), forwarding, others }
          return { sample: sampleView(sampler.latest), sessions, store, process: counters.process, missing: [] }
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
