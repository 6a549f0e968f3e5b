import * as HttpApi from "@effect/platform/HttpApi"
import * as OpenApi from "@effect/platform/OpenApi"
import { Schema } from "effect"
import { version } from "../../domain/Version.js"
import { problems } from "./ApiProblem.js"
import { liveGroup } from "./LiveGroup.js"
import { proxyGroup } from "./ProxyGroup.js"
import { sessionGroup } from "./SessionGroup.js"
import { logGroup } from "./LogGroup.js"
import { statsGroup } from "./StatsGroup.js"
import { transferGroup } from "./TransferGroup.js"
import { streamGroup } from "./StreamGroup.js"

// What the API takes and gives. Names are those of `--json` of the command line. Times are RFC 3339 in UTC.

const declared = HttpApi.make("ss-proxy admin")
  .add(proxyGroup)
  .add(sessionGroup)
  .add(liveGroup)
  .add(statsGroup)
  .add(transferGroup)
  .add(logGroup)
  .add(streamGroup)
  .annotate(OpenApi.Title, "ss-proxy admin API")
  .annotate(OpenApi.Version, version)

/** Every call of the admin API, and the errors that any of them may have. */
export const AdminApi = declared.addError(Schema.Union(...problems))
