import { Either } from "effect"
import type { Session } from "../../domain/Session.js"
import type { Precondition } from "../../sessions/SessionRepo.js"
import { ApiProblem, invalidRequest } from "../api/ApiProblem.js"
import { etagOf } from "../fleet/Shapes.js"

/** The fields of a request that say by which entity tag it goes on. */
export interface ConditionFields {
  readonly "if-match"?: string
  readonly "if-none-match"?: string
}

/** What such a field names: whatever there is, or entity tags (RFC 9110 section 8.8.3). */
type Tags = "*" | ReadonlyArray<EntityTag>

interface EntityTag {
  readonly isWeak: boolean
  /** With its quotation marks. */
  readonly opaque: string
}

/** One entity tag, or none, and what ends it in a list (RFC 9110 section 5.6.1: empty elements do not count). */
const element = /[\t ]*(?:(W\/)?("[\x21\x23-\x7e\x80-\xff]*")[\t ]*)?(?:,|$)/y

/** Reads a field; `undefined` where it is none of this kind. */
const tagsOf = (value: string): Tags | undefined => {
  if (value.trim() === "*") return "*"
  const tags: Array<EntityTag> = []
  for (let at = 0; at < value.length; at = element.lastIndex) {
    element.lastIndex = at
    const found = element.exec(value)
    if (found === null) return undefined
    const [, weak, opaque] = found
    if (opaque !== undefined) tags.push({ isWeak: weak !== undefined, opaque })
  }
  return tags.length === 0 ? undefined : tags
}

const read = (field: keyof ConditionFields, value: string | undefined): Either.Either<Tags | undefined, ApiProblem> => {
  const tags = value === undefined ? undefined : tagsOf(value)
  if (value === undefined || tags !== undefined) return Either.right(tags)
  const detail = 'It must be * or entity tags such as "0123456789abcdef", between commas.'
  return Either.left(invalidRequest("A field of the request cannot be read.", [{ path: field, detail }]))
}

const preconditionFailed = (detail: string): Either.Either<never, ApiProblem> =>
  Either.left(new ApiProblem({ status: 412, code: "precondition_failed", detail }))

/** Strong comparison (RFC 9110 section 8.8.3.2). Our own tags are strong. */
const isStrongly = (tags: Tags, session: Session): boolean =>
  tags === "*" || tags.some(({ isWeak, opaque }) => !isWeak && opaque === etagOf(session))

/** Weak comparison. */
const isWeakly = (tags: Tags, session: Session): boolean =>
  tags === "*" || tags.some(({ opaque }) => opaque === etagOf(session))

/**
 * The precondition that these fields make of a change, in the order of RFC 9110 section 13.2.2. `orMissing`: a session that
 * is not there is for the change itself to tell, by 404 (section 13.2.1).
 */
export const preconditionOf = (
  fields: ConditionFields,
  orMissing: "missing is 404" | "missing is new",
): Either.Either<Precondition<ApiProblem>, ApiProblem> =>
  Either.gen(function* () {
    const match = yield* read("if-match", fields["if-match"])
    const noneMatch = yield* read("if-none-match", fields["if-none-match"])
    return (stored) => {
      if (stored === undefined && orMissing === "missing is 404") return Either.void
      if (match !== undefined && (stored === undefined || !isStrongly(match, stored)))
        return preconditionFailed(
          "The session has changed: it has another entity tag than If-Match says. Read it again.",
        )
      if (noneMatch !== undefined && stored !== undefined && isWeakly(noneMatch, stored))
        return preconditionFailed("There is a session with this id, and If-None-Match says that there must be none.")
      return Either.void
    }
  })
