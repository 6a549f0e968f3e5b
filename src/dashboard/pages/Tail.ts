import type { ServerEvent } from "../../wire/EventReader.js"
import { Problem, withQuery } from "../Api.js"
import { problemText } from "../Dialog.js"
import { button, element, fill, setText } from "../Element.js"
import { bytes, milliseconds, moment } from "../Format.js"
import type { Lifetime, Shared } from "../View.js"

/** Lines that are kept. */
const mostLines = 200
/** Before a stream that broke off is asked for again, in milliseconds. */
const pause = 3_000

const textOf = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "")

/** A line of the log for people: of the names that lines of the access log have, those that tell most. */
const lineOf = (record: Readonly<Record<string, unknown>>): HTMLElement => {
  const status = record["status"]
  const time = record["time"]
  const duration = record["duration_ms"]
  const size = record["bytes_out"]
  const isBad =
    (typeof status === "number" && (status >= 500 || status === 0)) ||
    record["fault"] === "downstream" ||
    record["fault"] === "proxy"
  const cells = [
    moment(typeof time === "string" ? time : null),
    textOf(status) || "–",
    textOf(record["method"]) || textOf(record["kind"]),
    textOf(record["target"]),
    typeof duration === "number" ? milliseconds(duration) : "",
    typeof size === "number" ? bytes(size) : "",
    [record["cause"], record["reason"], record["user_agent"]]
      .map(textOf)
      .filter((text) => text !== "")
      .join(" · "),
  ]
  const made = cells.map((text, at) => element("span", { class: at === 3 ? "wide" : "" }, text))
  return element("li", { class: isBad ? "bad" : "", title: JSON.stringify(record) }, ...made)
}

/** What is over, as it happens: begun by hand, for it costs the proxy something. */
export const tailCard = ({ api }: Shared, lifetime: Lifetime, session: string): HTMLElement => {
  const lines = element("ol", { class: "tail mono", is: { "aria-label": "Live log", tabindex: "0" } })
  const note = element("span", { class: "dim" }, "What is over, as it happens.")
  let running: AbortController | undefined
  const heard = ({ data, event }: ServerEvent): void => {
    if (event === "record") lines.prepend(lineOf(JSON.parse(data)))
    else if (event === "dropped") {
      const { count }: { readonly count: number } = JSON.parse(data)
      lines.prepend(element("li", { class: "dim" }, `${count} left out: they came faster than they could be shown`))
    }
    while (lines.children.length > mostLines) lines.lastElementChild?.remove()
  }
  const run = async (mine: AbortController): Promise<void> => {
    const path = withQuery("/v1/tail", { session })
    while (!mine.signal.aborted) {
      try {
        await api.events(path, mine.signal, heard, () => setText(note, "Live."))
        setText(note, "The stream has ended. It is tried again.")
      } catch (error) {
        if (mine.signal.aborted) return
        setText(note, problemText(error))
        if (error instanceof Problem && error.status === 404) return
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }
  const toggle = button("Start", () => {
    if (running !== undefined) {
      running.abort()
      running = undefined
      setText(note, "Stopped.")
    } else {
      running = new AbortController()
      void run(running)
    }
    setText(toggle, running === undefined ? "Start" : "Stop")
  })
  lifetime.atEnd(() => running?.abort())
  const clear = button("Clear", () => fill(lines), { class: "quiet" })
  const head = element(
    "header",
    {},
    element("h2", {}, "Live log"),
    note,
    element("span", { class: "gap" }),
    clear,
    toggle,
  )
  return element("section", { class: "card" }, head, lines)
}
