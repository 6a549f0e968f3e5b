import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { Schema } from "effect"
import { type Policy, policyRows } from "../../domain/Policies.js"
import type { Reading } from "../../domain/Reading.js"
import { optional } from "./Fields.js"

// What a session is to become: its URL, its status, and policies by the names of their columns.

const textSchema = ({ choices }: Reading<unknown>) => ({
  type: "string",
  ...(choices !== undefined && { enum: choices }),
})

/** What is JSON in text may also stand there as JSON. */
const jsonSchemas = ({ json }: Reading<unknown>) => (json === undefined ? [] : [{ type: "object" }, { type: "array" }])

const policySchema = ({ columnType, fallback, reading }: Policy<unknown>): ReadonlyArray<object> => {
  if (typeof fallback === "boolean") return [{ type: "boolean" }]
  const text = textSchema(reading)
  return columnType === "NUMERIC" ? [{ type: "number" }, text] : [text, ...jsonSchemas(reading)]
}

const policySchemas = Object.fromEntries(
  Object.values(policyRows).map((row) => [row.column, { anyOf: [...policySchema(row), { type: "null" }] }]),
)

/** Described as `changeOf` reads it, which names every member that is wrong. */
const members = (identifier: string, required: ReadonlyArray<string>) =>
  Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
    identifier,
    jsonSchema: {
      type: "object",
      required,
      properties: { url: { type: "string" }, status: { type: "string" }, ...policySchemas },
      additionalProperties: false,
    },
  })

/** The whole of it. What is shown of a session beside that may be there, and is passed over. */
export const SessionPut = members("SessionPut", ["url"])

/** What of it changes (RFC 7396): null takes a policy back. */
export const SessionPatch = HttpApiSchema.withEncoding(members("SessionPatch", []), {
  kind: "Json",
  contentType: "application/merge-patch+json",
})

/** By which entity tags a change goes on (RFC 9110 sections 13.1.1 and 13.1.2). */
export const Conditions = Schema.Struct({
  "if-match": optional(Schema.String),
  "if-none-match": optional(Schema.String),
})
