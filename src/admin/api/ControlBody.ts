import { Schema } from "effect"
import { closeCode, closeReason } from "../../domain/Reading.js"
import { Count, Duration, Nullable, optional } from "./Fields.js"

// What calls take that end things, and what they give. A body may be left out.

/** What is no member of a body is refused by its name. */
const closed = { parseOptions: { onExcessProperty: "error", errors: "all" } } as const

const CloseCode = Schema.Int.pipe(
  Schema.filter((code) => closeCode.is(code) || `it must be ${closeCode.allowedValue}`, {
    jsonSchema: { anyOf: [{ enum: [1001, 1008, 1012] }, { minimum: 4000, maximum: 4999 }] },
  }),
)

const CloseReason = Schema.String.pipe(
  Schema.filter((reason) => closeReason.is(reason) || `it must be ${closeReason.allowedValue}`, { jsonSchema: {} }),
)

/** How WebSockets are closed (RFC 6455 section 7.4); 1001 unless it says otherwise. */
export const CloseRequest = Nullable(
  Schema.Struct({ code: optional(CloseCode), reason: optional(CloseReason) }).annotations(closed),
)

/** How long what is under way may take; 30 s unless it says otherwise. */
export const DrainRequest = Nullable(Schema.Struct({ grace: optional(Duration) }).annotations(closed))

/** How much was under way on a session, in the process that was asked. */
export const LiveNumbers = Schema.Struct({ requests: Count, streams: Count, websockets: Count }).annotations({
  identifier: "LiveNumbers",
})

export const DrainView = Schema.Struct({ draining_until: Nullable(Schema.String), live: LiveNumbers }).annotations({
  identifier: "Drain",
})
