import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option } from "effect"
import { endedClose } from "../../domain/SessionControl.js"
import { AdminApi } from "../api/AdminApi.js"
import { liveNotFound, processSilent } from "../api/ApiProblem.js"
import { Fleet } from "../fleet/Fleet.js"
import { endLive, findLive, livePage } from "../fleet/LiveThings.js"
import { jsonArraySliced } from "../fleet/Sliced.js"
import { makeNoting } from "./ChangeLog.js"
import { cursorOfLive, livePlacesIn } from "./Cursor.js"

/** Calls about what is under way. */
export const layerLiveCalls = HttpApiBuilder.group(AdminApi, "live", (handlers) =>
  Effect.zipWith(Fleet, makeNoting, (fleet, noting) =>
    handlers
      .handle("list", ({ urlParams }) =>
        Effect.gen(function* () {
          const { after, client, kind, limit = 100, older_than, session, silent_for, sort = "age" } = urlParams
          const { found, missing, next } = yield* livePage(fleet, {
            session,
            kind,
            client,
            olderThan: older_than,
            silentFor: silent_for,
            sort,
            limit,
            after: after === undefined ? [] : yield* livePlacesIn(after),
          })
          const array = yield* jsonArraySliced(found, (one) => one)
          const rest = JSON.stringify({ next: next === undefined ? null : cursorOfLive(next), missing })
          return HttpServerResponse.text(`{"live":${array},${rest.slice(1)}`, { contentType: "application/json" })
        }),
      )
      .handle("find", ({ path }) =>
        findLive(fleet, path.live).pipe(
          Effect.catchTag("ProcessSilent", processSilent),
          Effect.flatMap(Option.match({ onNone: liveNotFound, onSome: Effect.succeed })),
        ),
      )
      .handle("end", ({ path, payload, request }) =>
        noting(
          request,
          endLive(fleet, path.live, { ...endedClose, ...payload }).pipe(
            Effect.catchTag("ProcessSilent", processSilent),
            Effect.flatMap(Option.match({ onNone: liveNotFound, onSome: Effect.succeed })),
          ),
          (session) => ({ session }),
        ).pipe(Effect.asVoid),
      ),
  ),
)
