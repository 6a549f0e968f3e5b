import { Either } from "effect"
import { parseTarget } from "../../wire/Target.js"

/** Whether an id is a URL, so that the arguments are in the wrong order. */
export const isSwapped = (id: string): boolean => /^(?:https?|wss?):\/\//i.test(id)

/** The same without a scheme. A guess, because an id may be any text, and a single word the name of a host. */
const mayBeSwapped = (id: string, url: string): boolean => /^[\w.-]+:\d{1,5}(?:\/|$)/.test(id) && /^[\w-]+$/.test(url)

/** What a client gets who writes the id into a path as it is. */
const withoutEncoding = (id: string): string =>
  Either.match(parseTarget("GET", `/${id}`), {
    onLeft: (error) => (error._tag === "BadRequest" ? "is refused with 400" : "is no session"),
    onRight: (route) => (route._tag === "Session" ? `is the session ${JSON.stringify(route.id)}` : "is no session"),
  })

/** A note on an id that is not what somebody in a hurry may take it for: percent-encoded, or the URL; none on any other. */
export const idNote = (id: string, url: string): string | undefined => {
  if (mayBeSwapped(id, url))
    return (
      `note: ${JSON.stringify(id)} is the id now, and ${JSON.stringify(url)} the URL. If you swapped them, ` +
      "remove it, and add it with the id first"
    )
  if (!id.includes("%")) return undefined
  return (
    `note: ids are stored as they are, not percent-encoded: clients reach this one as /${encodeURIComponent(id)}; ` +
    `/${id} ${withoutEncoding(id)}`
  )
}
