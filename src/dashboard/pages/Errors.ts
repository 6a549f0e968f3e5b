import { withQuery } from "../Api.js"
import causes from "../Causes.json"
import { problemText } from "../Dialog.js"
import { type Child, element, fill, input } from "../Element.js"
import { moment } from "../Format.js"
import type { Failure } from "../Shapes.js"
import { Loader, type Lifetime, type Shared, type View } from "../View.js"
import { errorTable } from "./ErrorTable.js"

const refreshEvery = 5_000

interface Cause {
  readonly meaning: string
  readonly remedy: string
}

const known: Readonly<Record<string, Cause | undefined>> = causes

/** Failures by their code, the most frequent first. */
export const byCause = (
  errors: ReadonlyArray<Failure>,
): ReadonlyArray<readonly [code: string, ReadonlyArray<Failure>]> => {
  const all = new Map<string, ReadonlyArray<Failure>>()
  for (const error of errors) all.set(error.code, [...(all.get(error.code) ?? []), error])
  return [...all].toSorted(([, one], [, other]) => other.length - one.length)
}

/** A text in which code stands between backticks, as elements. */
const withCode = (text: string): ReadonlyArray<Child> =>
  text.split("`").map((part, at) => (at % 2 === 1 ? element("code", {}, part) : part))

/** What a cause means, and what to do about it. */
const causeCard = (code: string, errors: ReadonlyArray<Failure>): HTMLElement => {
  const cause = known[code]
  const sessions = new Set(errors.map(({ session }) => session))
  const where = `${sessions.size} session${sessions.size === 1 ? "" : "s"}, last at ${moment(errors[0]?.time)}`
  return element(
    "article",
    { class: "cause" },
    element("h3", {}, element("b", { class: "num" }, String(errors.length)), " ", element("code", {}, code)),
    element("p", { class: "dim" }, where),
    cause && element("p", {}, ...withCode(cause.meaning)),
    cause && element("p", {}, element("b", {}, "What to do: "), ...withCode(cause.remedy)),
  )
}

/** What went wrong lately, what it means, and what to do. */
export const errorsView = (shared: Shared, lifetime: Lifetime): View => {
  const problem = element("div", { class: "problem", is: { role: "alert" } })
  const session = input("", { type: "search", placeholder: "Session", "aria-label": "Session" })
  const scope = element("span", { class: "dim" }, "The last 200 failures, of one session at most 50.")
  const causes = element("div", { class: "causes" })
  const table = errorTable(true)
  const area = element("div", { class: "card grow" }, table.node)
  const loader = new Loader<{ readonly errors: ReadonlyArray<Failure> }>(
    area,
    lifetime,
    (signal) => shared.api.get(withQuery("/v1/errors", { limit: "200", session: session.value }), signal),
    ({ errors }) => {
      fill(problem)
      table.show(errors)
      fill(causes, ...byCause(errors).map(([code, errors]) => causeCard(code, errors)))
    },
    (error) => fill(problem, problemText(error)),
  )
  session.addEventListener("input", loader.restart)
  lifetime.every(refreshEvery, loader.refresh)
  loader.restart()
  return {
    title: "Errors",
    node: element(
      "section",
      { class: "page" },
      element("div", { class: "bar" }, session, scope),
      problem,
      causes,
      area,
    ),
    keys: { "/": () => session.focus() },
    reload: loader.restart,
  }
}
