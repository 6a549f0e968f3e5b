import type { ProxyError, RequestBroken } from "../domain/ProxyError.js"
import type { ServerFault } from "../sessions/ServerHealth.js"
import { failureOf } from "./Failure.js"

/** An error of a request as what it says of a server. */
export const faultOf = (error: ProxyError): ServerFault => {
  const { cause: code, reason } = failureOf(error)
  return { code, reason }
}

/**
 * What the error of a client's request says of the session's server: no connection to it came to be, or that broke before the
 * head of an answer. `undefined` for everything else: a slow answer or a wrong one may be the request's own doing, and what the
 * proxy has no room for is nobody's fault there.
 */
export const connectionFaultOf = (
  error: ProxyError | RequestBroken | { readonly _tag: "Reply" },
): ServerFault | undefined => {
  switch (error._tag) {
    case "DownstreamUnreachable":
    case "DownstreamReset":
      return faultOf(error)
    case "LoopDetected":
      // Without an address it is the request that has been here before.
      return error.address === undefined ? undefined : faultOf(error)
    default:
      return undefined
  }
}
