import type { SessionPolicy } from "../domain/SessionPolicy.js"
import type { NewSession } from "../sessions/SessionRepo.js"

/** A session, as a program says it. */
export interface SessionInput {
  /** The URL of its server: `http://…` or `https://…`. */
  readonly url: string
  /** `active` unless said otherwise. `active`, `online` and `ready` take requests; any other word does not. */
  readonly status?: string
  /** Where it differs from the settings. */
  readonly policy?: Partial<SessionPolicy>
}

/** A session of this id: a text is its URL. */
export const sessionOf = (id: string, given: SessionInput | string): NewSession =>
  typeof given === "string" ? { id, url: given, status: "active" } : { status: "active", ...given, id }
