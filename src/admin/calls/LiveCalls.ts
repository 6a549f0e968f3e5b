import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import { Effect, Option } from "effect"
import { endedClose } from "../../domain/SessionControl.js"
import { AdminApi } from "../api/AdminApi.js"
import { liveNotFound } from "../api/ApiProblem.js"
import { makeNoting } from "./ChangeLog.js"
import { cursorOf, numberIn } from "./Cursor.js"
import { Fleet } from "./Fleet.js"
import { jsonArraySliced } from "./Sliced.js"

/** Calls about what is under way. */
export const layerLiveCalls = HttpApiBuilder.group(AdminApi, "live", (handlers) =>
  Effect.zipWith(Fleet, makeNoting, (fleet, noting) =>
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
      .handle("end", ({ path, payload, request }) =>
        noting(
          request,
          Effect.flatMap(
            fleet.end(path.live, { ...endedClose, ...payload }),
            Option.match({ onNone: liveNotFound, onSome: Effect.succeed }),
          ),
          (session) => ({ session }),
        ).pipe(Effect.asVoid),
      ),
  ),
)
