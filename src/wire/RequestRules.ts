import type { FieldEdits } from "./FieldEdits.js"

/** What one session's policies and the proxy's settings make of the fields of its requests and of their answers; made once for all. */
export interface RequestRules {
  /** Whether the server gets `Via`: if not, no other proxy's either. */
  readonly via: boolean
  /** Whether it gets `X-Forwarded-*`: if not, no client's either. */
  readonly forwarded: boolean
  /** Whether it gets a `traceparent` of the proxy. */
  readonly trace: boolean
  readonly edits: FieldEdits | undefined
  /** Of its answers. */
  readonly answerEdits: FieldEdits | undefined
}

/** Where nothing is set. */
export const usualRules: RequestRules = {
  via: true,
  forwarded: true,
  trace: true,
  edits: undefined,
  answerEdits: undefined,
}
