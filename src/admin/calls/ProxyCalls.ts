import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
import { ProxyConfig, type ProxySettings } from "../../domain/ProxyConfig.js"
import type { Setting } from "../../domain/Setting.js"
import { settingRows } from "../../domain/Settings.js"
import { version } from "../../domain/Version.js"
import { Access, type Origin, SettingOrigins } from "../access/Access.js"
import { Reload } from "../access/Reload.js"
import { AdminApi } from "../api/AdminApi.js"
import type { SettingView } from "../api/ProxyViews.js"
import {
  invalidRequest,
  oneProcess,
  processSilent,
  reloadFailed,
  sessionNotFound,
  storeUnavailable,
} from "../api/ApiProblem.js"
import { Fleet } from "../fleet/Fleet.js"
import { latestErrors } from "../fleet/LatestErrors.js"
import { processesOf } from "../fleet/Processes.js"
import { explanation } from "../fleet/Reports.js"
import { timestamp } from "../fleet/Shapes.js"
import { shownValue } from "../process/SettingValue.js"
import { explainQueryOf } from "./ExplainQuery.js"

/** How long a token is in force that the socket hands out, in milliseconds, unless it is asked for otherwise. */
const tokenTime = 12 * 3_600_000
const longestTokenTime = 30 * 86_400_000

const isFallback = ({ fallback, zeroIsNoLimit }: Setting<unknown>, value: unknown): boolean =>
  zeroIsNoLimit === true && value === Infinity ? fallback === 0 : JSON.stringify(value) === JSON.stringify(fallback)

/** Every setting, as it is in force. */
const settingViews = (
  settings: ProxySettings,
  originOf: (setting: string) => Origin,
): ReadonlyArray<typeof SettingView.Type> =>
  Object.entries(settingRows).map(([name, row]) => {
    const value: unknown = Reflect.get(settings, name)
    const from = isFallback(row, value) ? "default" : originOf(name)
    return { name: row.flag?.name ?? name, value: shownValue(row, value), from }
  })

/** Calls about the proxy as a whole. */
export const layerProxyCalls = HttpApiBuilder.group(AdminApi, "proxy", (handlers) =>
  Effect.gen(function* () {
    const fleet = yield* Fleet
    const settings = yield* ProxyConfig
    const originOf = yield* SettingOrigins
    const { changes, tokens, url } = yield* Access
    const reload = yield* Reload
    return handlers
      .handle("version", () =>
        Effect.succeed({ version, node: process.versions.node, started_at: timestamp(performance.timeOrigin) }),
      )
      .handle("processes", () => processesOf(fleet))
      .handle("config", () => Effect.sync(() => ({ settings: settingViews(settings, originOf) })))
      .handle("explain", ({ urlParams }) =>
        Effect.gen(function* () {
          const query = explainQueryOf(urlParams)
          if (query === undefined)
            return yield* invalidRequest("This needs either url or target, and a method of HTTP if any.")
          return yield* explanation(fleet, query)
        }).pipe(
          Effect.catchTags({
            SessionNotFound: sessionNotFound,
            StoreUnavailable: ({ problem }) => storeUnavailable(problem),
            ProcessSilent: processSilent,
          }),
        ),
      )
      .handle("errors", ({ urlParams: { limit = 100, request_id, session } }) =>
        latestErrors(fleet, { limit, session, requestId: request_id }),
      )
      .handle("reload", ({ request }) =>
        Effect.gen(function* () {
          if (reload === undefined) return yield* oneProcess()
          const incoming = NodeHttpServerRequest.toIncomingMessage(request)
          // Starts may take a minute on a busy machine. With its next request the connection has the listener's limit again.
          incoming.socket.setTimeout(0)
          const done = yield* Effect.mapError(reload, ({ problem }) => reloadFailed(problem))
          changes.note(incoming, { generation: done.generation })
          return done
        }),
      )
      .handle("makeToken", ({ payload, request }) =>
        Effect.gen(function* () {
          const lifetime = payload.for ?? tokenTime
          if (lifetime <= 0 || lifetime > longestTokenTime)
            return yield* invalidRequest("for must be a time of more than 0 and at most 30d.")
          const token = tokens.issue(payload.read_only === true, lifetime)
          const kind = payload.read_only === true ? "reads" : "writes"
          changes.note(NodeHttpServerRequest.toIncomingMessage(request), { token: kind })
          const base = url()
          return { token, url: base === undefined ? null : `${base}/#token=${token}` }
        }),
      )
  }),
)
