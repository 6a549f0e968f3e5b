import { detachedCopy } from "./DetachedCopy.js"

/** What a `traceparent` says (W3C Trace Context, section 3.2). */
export interface TraceParent {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** The span that this is a part of: 16 hexadecimal digits. */
  readonly parentId: string
  /** Whether its author has recorded that span. */
  readonly sampled: boolean
}

/** What of a trace came with a request: nothing, what can be continued, or what nobody can make sense of. */
export type ReceivedTrace = TraceParent | "malformed" | undefined

/** What becomes of the trace fields of a request on its way to the session's server. */
export interface TraceFields {
  /** Stands in place of the `traceparent` that came; `undefined`: that one goes on as it is. */
  readonly replaced: string | undefined
  /** Whether one is made up where none came. */
  readonly added: boolean
  /** Whether `tracestate` goes on. It belongs to the `traceparent` that came, and means nothing without it. */
  readonly keepsState: boolean
}

/** They are none of the proxy's business. */
export const untouchedTrace: TraceFields = { replaced: undefined, added: false, keepsState: true }

/** Nobody here records anything, but servers shall be able to tell which of their lines belong to one request. */
export const identifiedTrace: TraceFields = { replaced: undefined, added: true, keepsState: true }

const layout = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const noTraceId = "0".repeat(32)
const noParentId = "0".repeat(16)

/**
 * Reads a `traceparent`; `undefined` where it is malformed. A version that is not known yet is read as far as it is like
 * version 00, which may have nothing behind its flags (section 3.2.2).
 */
export const parseTraceParent = (value: string): TraceParent | undefined => {
  const [, version, traceId, parentId, flags, more] = layout.exec(value) ?? []
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined
  if (traceId === noTraceId || parentId === noParentId) return undefined
  // Whoever records a trace keeps it for longer than the head that it came in.
  return {
    traceId: detachedCopy(traceId),
    parentId: detachedCopy(parentId),
    sampled: (Number.parseInt(flags, 16) & 1) === 1,
  }
}

/** A `traceparent` of version 00. */
export const traceParent = (traceId: string, spanId: string, sampled: boolean): string =>
  sampled ? `00-${traceId}-${spanId}-01` : `00-${traceId}-${spanId}-00`

/** Reads the trace that a request belongs to, from its raw field pairs. Two of a field that there may be one of are as good as a malformed one. */
export const receivedTrace = (fields: ReadonlyArray<string>): ReceivedTrace => {
  let received: ReceivedTrace
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    if (name.length !== 11 || name.toLowerCase() !== "traceparent") continue
    if (received !== undefined) return "malformed"
    received = parseTraceParent(fields[index + 1] ?? "") ?? "malformed"
  }
  return received
}
