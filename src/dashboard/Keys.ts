import { tell } from "./Dialog.js"
import { element } from "./Element.js"

/** Pages that `g` and a letter go to. */
const places: Readonly<Record<string, string>> = {
  o: "#/",
  s: "#/sessions",
  l: "#/live",
  e: "#/errors",
  a: "#/about",
}

/** So long `g` waits for its letter, in milliseconds. */
const patience = 1_500

const help: ReadonlyArray<readonly [keys: string, meaning: string]> = [
  ["/", "search"],
  ["j, k", "next, previous row"],
  ["Enter", "open"],
  ["a", "add a session"],
  ["e", "edit"],
  ["d", "drain"],
  ["r", "resume"],
  ["x", "kill what is live"],
  ["Delete", "remove"],
  ["g o, g s, g l, g e, g a", "Overview, Sessions, Live, Errors, About"],
  ["Esc", "close, leave a field, go back"],
  ["?", "these keys"],
]

export const showKeys = (): void =>
  tell(
    "Keys",
    element(
      "dl",
      { class: "keys" },
      ...help.flatMap(([keys, meaning]) => [
        element("dt", {}, ...keys.split(/(, | )/).map((part) => (/[, ]/.test(part) ? part : element("kbd", {}, part)))),
        element("dd", {}, meaning),
      ]),
    ),
  )

const isTyping = (target: EventTarget | null): target is HTMLElement =>
  target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement

/** Hands keys to the page that is open. A field keeps its own but Esc; a dialog keeps all. */
export const listenForKeys = (
  keys: () => Readonly<Record<string, () => void>> | undefined,
  go: (route: string) => void,
): void => {
  let goes = 0
  const perform = (key: string): (() => void) | undefined => {
    const place = places[key]
    if (performance.now() < goes && place !== undefined) return () => go(place)
    if (key === "g") return () => void (goes = performance.now() + patience)
    return key === "?" ? showKeys : keys()?.[key]
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return
    if (isTyping(event.target)) {
      if (event.key === "Escape") event.target.blur()
      return
    }
    // A button or a link is pressed by it.
    if (event.key === "Enter" && event.target instanceof Element && event.target.matches("button, a")) return
    const act = perform(event.key)
    if (event.key !== "g") goes = 0
    if (act === undefined) return
    event.preventDefault()
    act()
  })
}
