import { Either, Option, Schema } from "effect"
import { ArrayFormatter } from "effect/ParseResult"
import { policyRows } from "../domain/Policies.js"
import { closeCode, closeReason, duration, refusal } from "../domain/Reading.js"
import { SessionId, SessionInvalid } from "../domain/Session.js"
import type { KillClose } from "../domain/SessionControl.js"
import type { SessionPolicy } from "../domain/SessionPolicy.js"
import { parseDownstreamUrl, redactUrl, trimUrl } from "../wire/DownstreamUrl.js"
import { isLabel, longestLabel } from "../wire/SessionHosts.js"
import type { NewSession, SessionChange } from "./SessionRepo.js"

/** Why this text cannot be a session id, without advice; nothing if it can. */
export const idProblem = (id: string): Option.Option<string> =>
  Either.match(Schema.decodeUnknownEither(SessionId)(id), {
    onLeft: (error) => Option.fromNullable(ArrayFormatter.formatErrorSync(error)[0]?.message.split(". ")[0]),
    onRight: () => Option.none(),
  })

/** Why a session with this id has no name below `--session-hosts`, as a clause; `undefined` where it has one. */
export const labelProblem = (id: string): string | undefined => {
  if (isLabel(id)) return undefined
  if (id.length > longestLabel)
    return `the id is longer than ${longestLabel} characters, the most that a part of a name has`
  if (isLabel(id.toLowerCase())) return "the id has capital letters, and names are compared in small letters"
  if (/^[a-z0-9_-]+$/i.test(id)) return "the id begins or ends with a hyphen, which no part of a name does"
  return "the id has characters that no name has: it may have a-z, 0-9, - and _"
}

/** Says that a session cannot have this URL, and why. Hides user info in the URL. */
export const unusableUrl = (url: string, problem: string): string =>
  `the URL ${JSON.stringify(redactUrl(url))} cannot be used: ${problem}`

/** User info as `redactUrl` shows it. */
const hiddenUserInfo = /^([a-z][a-z0-9+.-]*:\/\/)?\*\*\*@/i

/**
 * Why a session cannot have this URL; nothing if it can. One that was shown without its user info does not come back: the
 * server would no longer be asked with it.
 */
export const urlProblem = (url: string): Option.Option<string> => {
  if (hiddenUserInfo.test(trimUrl(url)))
    return Option.some(
      unusableUrl(
        url,
        'its user name and password were left out where it was shown; write them, or use the output of "export"',
      ),
    )
  return Option.map(Either.getLeft(parseDownstreamUrl(url)), ({ problem }) => unusableUrl(url, problem))
}

const policyProblem = (policy: object): Option.Option<string> => {
  for (const [name, { reading }] of Object.entries(policyRows)) {
    const value: unknown = Reflect.get(policy, name)
    if (Object.hasOwn(policy, name) && !reading.is(value))
      return Option.some(`its policy ${name} ${refusal(reading, value, reading.allowedValue)}`)
  }
  return Option.none()
}

const refuse = (sessionId: string, problem: Option.Option<string>): Either.Either<void, SessionInvalid> =>
  Option.match(problem, {
    onNone: () => Either.void,
    onSome: (problem) => Either.left(new SessionInvalid({ sessionId, problem })),
  })

/** Who moves fields to another URL must know what they are: whoever may only write could have them sent to himself. */
const bindingProblem = ({ setFields, setFieldsUrl }: Partial<SessionPolicy>): Option.Option<string> =>
  setFields === undefined && setFieldsUrl !== undefined
    ? Option.some("set_fields_url can only be set together with set_fields")
    : Option.none()

/** Refuses an invalid change. Every store checks this before it writes. */
export const checkChange = (id: string, { url, policy }: SessionChange): Either.Either<void, SessionInvalid> =>
  refuse(
    id,
    Option.firstSomeOf([
      url === undefined ? Option.none() : urlProblem(url),
      policyProblem(policy ?? {}),
      bindingProblem(policy ?? {}),
    ]),
  )

/** Refuses an invalid session. Every store checks this before it writes. */
export const checkNew = (session: NewSession): Either.Either<void, SessionInvalid> =>
  Either.flatMap(refuse(session.id, idProblem(session.id)), () => checkChange(session.id, session))

/** Refuses a kill that no close frame can tell. */
export const checkKill = (id: string, { code, reason }: Partial<KillClose>): Either.Either<void, SessionInvalid> => {
  const wrong = (name: string, value: unknown, allowed: string) =>
    Option.some(`its close ${name} is ${JSON.stringify(value)}; it must be ${allowed}`)
  if (code !== undefined && !closeCode.is(code)) return refuse(id, wrong("code", code, closeCode.allowedValue))
  if (reason !== undefined && !closeReason.is(reason))
    return refuse(id, wrong("reason", reason, closeReason.allowedValue))
  return Either.void
}

/** Refuses a drain of a length that cannot be. */
export const checkDrain = (id: string, grace: number): Either.Either<void, SessionInvalid> =>
  refuse(id, duration.is(grace) ? Option.none() : Option.some(`it cannot drain for ${grace} ms`))
