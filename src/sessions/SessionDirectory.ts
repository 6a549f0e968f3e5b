import { Context, type Effect } from "effect"
import type {
  DownstreamUrlInvalid,
  SessionNotFound,
  SessionUnavailable,
  StoreUnavailable,
} from "../domain/ProxyError.js"
import type { LiveSession } from "./LiveSession.js"

/** Why a lookup finds nothing to forward to. */
export type LookupError = SessionNotFound | SessionUnavailable | DownstreamUrlInvalid | StoreUnavailable

/**
 * The live view of the sessions that the data plane asks. A warm lookup is a Map get and makes no query; what anybody
 * commits to the store is in force within 10 ms.
 */
export class SessionDirectory extends Context.Tag("@ss-proxy/SessionDirectory")<
  SessionDirectory,
  {
    /** The session to forward to. An `Exit` wherever the answer is known without waiting. */
    readonly lookup: (id: string) => Effect.Effect<LiveSession, LookupError>
  }
>() {}
