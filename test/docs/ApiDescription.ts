import * as OpenApi from "@effect/platform/OpenApi"
import { AdminApi } from "../../src/admin/api/AdminApi.js"

/** What the API takes and gives, for programs, as docs/openapi.json has it: a change of the API is a change of this file. */
export const apiDescription = (): string => `${JSON.stringify(OpenApi.fromApi(AdminApi), undefined, 2)}\n`
