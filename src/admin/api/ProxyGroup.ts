import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import { Schema } from "effect"
import { ExplainView } from "./ExplainView.js"
import { Duration, Limit, Missing, Nullable, optional } from "./Fields.js"
import { ErrorView, ProcessView, SettingView, VersionView } from "./ProxyViews.js"

const ExplainQuery = Schema.Struct({
  url: optional(Schema.String),
  target: optional(Schema.String),
  method: optional(Schema.String),
  upgrade: optional(Schema.Literal("websocket")),
})

const ErrorsQuery = Schema.Struct({
  session: optional(Schema.String),
  request_id: optional(Schema.String),
  limit: optional(Limit(200)),
})

const TokenRequest = Schema.Struct({
  read_only: optional(Schema.Boolean),
  for: optional(Duration),
})

const ReloadView = Schema.Struct({
  generation: Schema.Int,
  workers: Schema.Int,
  version: Schema.String,
}).annotations({ identifier: "Reload" })

/** Calls about the proxy as a whole. */
export const proxyGroup = HttpApiGroup.make("proxy", { topLevel: true })
  .add(HttpApiEndpoint.get("version", "/v1/version").addSuccess(VersionView))
  .add(
    HttpApiEndpoint.get("processes", "/v1/processes").addSuccess(
      Schema.Struct({ processes: Schema.Array(ProcessView), missing: Missing }),
    ),
  )
  .add(HttpApiEndpoint.get("config", "/v1/config").addSuccess(Schema.Struct({ settings: Schema.Array(SettingView) })))
  .add(HttpApiEndpoint.get("explain", "/v1/explain").setUrlParams(ExplainQuery).addSuccess(ExplainView))
  .add(
    HttpApiEndpoint.get("errors", "/v1/errors")
      .setUrlParams(ErrorsQuery)
      .addSuccess(Schema.Struct({ errors: Schema.Array(ErrorView), missing: Missing })),
  )
  .add(HttpApiEndpoint.post("reload", "/v1/reload").addSuccess(ReloadView))
  .add(
    HttpApiEndpoint.post("makeToken", "/v1/tokens")
      .setPayload(TokenRequest)
      .addSuccess(Schema.Struct({ token: Schema.String, url: Nullable(Schema.String) }), { status: 201 }),
  )
