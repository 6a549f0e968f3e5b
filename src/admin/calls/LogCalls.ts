import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import { Effect } from "effect"
import { AdminApi } from "../api/AdminApi.js"
import { ApiProblem, invalidRequest } from "../api/ApiProblem.js"
import { Fleet } from "../fleet/Fleet.js"
import { reopenLog, setLevel } from "../fleet/Logs.js"
import { makeNoting } from "./ChangeLog.js"

/** The longest time for which a level may be set, in milliseconds. */
const longestTime = 7 * 86_400_000

const notAvailable = (detail: string): ApiProblem => new ApiProblem({ status: 404, code: "not_available", detail })

const noControl = (): ApiProblem =>
  notAvailable("The program that runs this proxy has a log of its own, which is not steered here.")

const noFile = (): ApiProblem => notAvailable("The access log is no file that could be opened anew.")

/** Calls that do to the log what signals do. */
export const layerLogCalls = HttpApiBuilder.group(AdminApi, "log", (handlers) =>
  Effect.gen(function* () {
    const fleet = yield* Fleet
    const noting = yield* makeNoting
    return handlers
      .handle("setLogLevel", ({ payload: { for: time, level }, request }) =>
        Effect.gen(function* () {
          if (time !== undefined && (time <= 0 || time > longestTime))
            return yield* invalidRequest("for must be a time of more than 0 and at most 7d.")
          const note = { level, ...(time !== undefined && { for: `${time / 1_000}s` }) }
          const set = Effect.filterOrFail(setLevel(fleet, level, time), (isSet) => isSet, noControl)
          yield* noting(request, set, () => note)
        }),
      )
      .handle("reopenLog", ({ request }) =>
        Effect.gen(function* () {
          const reopened = Effect.filterOrFail(
            reopenLog(fleet),
            (told) => told === "reopened",
            (told) => (told === "no file" ? noFile() : noControl()),
          )
          yield* noting(request, reopened, () => ({ reopened: "access log" }))
        }),
      )
  }),
)
