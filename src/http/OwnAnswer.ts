import {
  Draining,
  type ProxyError,
  SessionNotFound,
  SessionUnavailable,
  StoreUnavailable,
} from "../domain/ProxyError.js"
import type { SessionEnd } from "../sessions/LiveSession.js"
import { prefersHtml } from "../wire/Accept.js"
import { preflightReply, readableBy } from "../wire/CrossOrigin.js"
import type { RawFields } from "../wire/HeaderFields.js"
import { errorReply, type Reply } from "../wire/Reply.js"
import { holdTiming } from "../wire/ServerTiming.js"
import type { OriginsFor } from "./OriginsFor.js"

const unverified = {
  problem: "the row of this session could not be read for longer than --max-stale",
  hint: "Wait until the store is back.",
}

/** The error of a request whose session ended before it was answered. */
export const endedBy: { readonly [End in SessionEnd]: (sessionId: string) => ProxyError } = {
  removed: (sessionId) => new SessionNotFound({ sessionId }),
  retargeted: (sessionId) => new SessionUnavailable({ sessionId, status: "moved to another server" }),
  killed: (sessionId) => new SessionUnavailable({ sessionId, status: "killed" }),
  stale: () => new StoreUnavailable(unverified),
  shutdown: () => new Draining(),
}

/** What the answer to an error says of its request. */
export interface RefusedRequest {
  readonly method: string
  /** Raw field pairs. */
  readonly fields: RawFields
  readonly requestId: string
  /** Id of the session that it names; `undefined` where its target could not be read. */
  readonly sessionId: string | undefined
  /** How long it was held for a server that was just starting, in milliseconds. */
  readonly heldFor: number
}

/** What is answered in place of an answer of the session's server. */
export type OwnAnswer =
  | { readonly _tag: "Failure"; readonly reply: Reply }
  /** A script's browser asks what it may do: that is answered, whatever is wrong (Fetch, CORS-preflight request). */
  | { readonly _tag: "Preflight"; readonly reply: Reply }

/** The answer to an error, for scripts of those origins that may read the session's errors, too. */
export const answerTo = (error: ProxyError, request: RefusedRequest, originsFor: OriginsFor): OwnAnswer => {
  const origins = originsFor(request.sessionId)
  const preflight = origins && preflightReply(origins, request.method, request.fields, error)
  if (preflight !== undefined) return { _tag: "Preflight", reply: preflight }
  const reply = errorReply(error, request.requestId, prefersHtml(request.fields))
  const timed = request.heldFor === 0 ? reply : { ...reply, fields: [...reply.fields, ...holdTiming(request.heldFor)] }
  return { _tag: "Failure", reply: origins === undefined ? timed : readableBy(timed, origins, request.fields) }
}

/** Whether the connection cannot carry another request behind the answer to this error. */
export const closesConnection = ({ _tag }: ProxyError): boolean => _tag === "BadRequest" || _tag === "Draining"
