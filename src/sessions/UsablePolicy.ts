import { Either } from "effect"
import type { Session } from "../domain/Session.js"
import { readPolicy, type SessionPolicy } from "../domain/SessionPolicy.js"
import { trimUrl } from "../wire/DownstreamUrl.js"

/** What to be set of a session, or of a change. */
type Policy = Partial<SessionPolicy>

/**
 * A policy as it is stored for a session with this URL: fields that are set for its server are bound to that URL, for they
 * may be secrets, and would follow the id to another server.
 */
export const boundTo = (url: string, policy: Policy = {}): Policy => {
  const { setFields, setFieldsUrl } = policy
  if (setFields === undefined) return policy
  return { ...policy, setFieldsUrl: setFields === null ? null : (setFieldsUrl ?? trimUrl(url)) }
}

const unbound =
  "its set_fields were set for another URL than it has now, or for none (set_fields_url): " +
  'set them again, as with "sessions set ID --set-fields", or take them back with the word default'

/** The policy of a stored session. Left: a phrase about why it cannot be used, and what to do. */
export const usablePolicy = ({ policy, url }: Pick<Session, "policy" | "url">): Either.Either<SessionPolicy, string> =>
  Either.filterOrLeft(
    readPolicy(policy),
    ({ setFields, setFieldsUrl }) =>
      setFields === null || (setFieldsUrl !== null && trimUrl(setFieldsUrl) === trimUrl(url)),
    () => unbound,
  )
