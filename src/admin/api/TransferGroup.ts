import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { Count, Nullable, optional } from "./Fields.js"

/** A JSON object a line. */
const Lines = HttpApiSchema.Text({ contentType: "application/x-ndjson" })

const YesOrNo = Schema.BooleanFromString

const ExportQuery = Schema.Struct({ prefix: optional(Schema.String), secrets: optional(YesOrNo) })

const ImportQuery = Schema.Struct({
  replace: optional(YesOrNo),
  on_error: optional(Schema.Literal("stop", "skip")),
  dry_run: optional(YesOrNo),
})

/** What an import has come to. Where it stops, the problem has these members, too. */
export const ImportView = Schema.Struct({
  added: Count,
  replaced: Count,
  removed: Count,
  failed: Count,
  /** The first hundred entries that were not imported. */
  problems: Schema.Array(Schema.Struct({ line: Schema.Int, id: Nullable(Schema.String), problem: Schema.String })),
}).annotations({ identifier: "Import" })

/** Calls that carry all sessions out and in. */
export const transferGroup = HttpApiGroup.make("transfer", { topLevel: true })
  .add(HttpApiEndpoint.get("exportSessions", "/v1/export").setUrlParams(ExportQuery).addSuccess(Lines))
  .add(
    HttpApiEndpoint.post("importSessions", "/v1/import")
      .setUrlParams(ImportQuery)
      .setPayload(Lines)
      .addSuccess(ImportView),
  )
