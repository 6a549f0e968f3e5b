import { Either } from "effect"
import { parseTarget } from "./Target.js"

/**
 * Whether items fit a pattern in which a star stands for any number of them. Takes, at worst, as many steps as the product
 * of both lengths: clients choose what is matched. A star that is left for the next one never needs another look.
 */
const fits = <P, T>(
  pattern: ArrayLike<P>,
  items: ArrayLike<T>,
  isStar: (part: P | undefined) => boolean,
  isSame: (part: P | undefined, item: T | undefined) => boolean,
): boolean => {
  let part = 0
  let item = 0
  let afterStar = -1
  let resume = 0
  while (item < items.length) {
    const current = part < pattern.length ? pattern[part] : undefined
    if (isStar(current)) {
      afterStar = ++part
      resume = item
    } else if (part < pattern.length && isSame(current, items[item])) {
      part++
      item++
    } else if (afterStar >= 0) {
      part = afterStar
      item = ++resume
    } else {
      return false
    }
  }
  while (isStar(pattern[part])) part++
  return part >= pattern.length
}

const segmentFits = (pattern: string | undefined, segment: string | undefined): boolean =>
  fits(
    pattern ?? "",
    segment ?? "",
    (sign) => sign === "*",
    (sign, other) => sign === other,
  )

/** Whether a path fits a glob: `*` stands for any part of a segment, and a segment `**` for any number of segments. */
const pathFits = (glob: ReadonlyArray<string>, path: ReadonlyArray<string>): boolean =>
  fits(glob, path, (segment) => segment === "**", segmentFits)

const schemeAndAuthority = /^https?:\/\/[^/?#]*/i

/** What of a request target is behind what names the session; `undefined` where nothing names one. */
const restOf = (target: string, byHost: boolean): string | undefined => {
  if (byHost) return target.replace(schemeAndAuthority, "")
  const parsed = parseTarget("GET", target)
  return Either.isRight(parsed) && parsed.right._tag === "Session" ? parsed.right.rest : undefined
}

/** The same without its query. */
const pathBehindSession = (target: string, byHost: boolean): string | undefined => {
  const rest = restOf(target, byHost)
  if (rest === undefined) return undefined
  const query = rest.indexOf("?")
  const path = query < 0 ? rest : rest.slice(0, query)
  return path === "" ? "/" : path
}

/**
 * Tells whether the path that a request target has behind the session's id, or all of it where the host names the session
 * (`byHost`), fits one of the globs, which begin with `/`; as it was sent, percent-encoding included. `undefined` for no globs.
 */
export const targetMatcher = (
  globs: ReadonlyArray<string>,
): ((target: string, byHost: boolean) => boolean) | undefined => {
  if (globs.length === 0) return undefined
  const patterns = globs.map((glob) => glob.split("/"))
  return (target, byHost) => {
    const path = pathBehindSession(target, byHost)?.split("/")
    return path !== undefined && patterns.some((pattern) => pathFits(pattern, path))
  }
}
