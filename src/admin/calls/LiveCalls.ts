import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option } from "effect"
import { AdminApi } from "../api/AdminApi.js"
import { liveNotFound } from "../api/ApiProblem.js"
import { cursorOf, numberIn } from "./Cursor.js"
import { Fleet } from "./Fleet.js"
import { jsonArraySliced } from "./Sliced.js"

/** Calls about what is under way. */
export const layerLiveCalls = HttpApiBuilder.group(AdminApi, "live", (handlers) =>
  Effect.map(Fleet, (fleet) =>
    handlers
      .handle("list", ({ urlParams }) =>
        Effect.gen(function* () {
          const { after, client, kind, limit = 100, older_than, session, silent_for, sort = "age" } = urlParams
          const { found, last, missing } = yield* fleet.live({
            session,
            kind,
            client,
            olderThan: older_than,
            silentFor: silent_for,
            sort,
            limit,
            after: after === undefined ? 0 : yield* numberIn(after),
          })
          const array = yield* jsonArraySliced(found, (one) => one)
          const rest = JSON.stringify({ next: last === undefined ? null : cursorOf(last), missing })
          return HttpServerResponse.text(`{"live":${array},${rest.slice(1)}`, { contentType: "application/json" })
        }),
      )
      .handle("find", ({ path }) =>
        Effect.flatMap(fleet.find(path.live), Option.match({ onNone: liveNotFound, onSome: Effect.succeed })),
      )
      .handle("end", ({ path }) =>
        Effect.flatMap(fleet.end(path.live), (isEnded) => (isEnded ? Effect.void : liveNotFound())),
      ),
  ),
)
