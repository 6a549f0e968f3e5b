import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { logLevels } from "../../log/LogControl.js"
import { Duration, optional } from "./Fields.js"

/** `for`: after that time it is again as it was. */
const LevelRequest = Schema.Struct({
  level: Schema.Literal(...logLevels),
  for: optional(Duration),
}).annotations({ parseOptions: { onExcessProperty: "error", errors: "all" } })

/** Calls that do to the log what signals do, for those who cannot send one. */
export const logGroup = HttpApiGroup.make("log", { topLevel: true })
  .add(HttpApiEndpoint.put("setLogLevel", "/v1/log").setPayload(LevelRequest).addSuccess(HttpApiSchema.NoContent))
  .add(HttpApiEndpoint.post("reopenLog", "/v1/log/reopen").addSuccess(HttpApiSchema.NoContent))
