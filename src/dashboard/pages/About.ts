import { problemText } from "../Dialog.js"
import { element, fill, input } from "../Element.js"
import { moment } from "../Format.js"
import type { Setting, Version } from "../Shapes.js"
import { Table } from "../Table.js"
import { Loader, type Lifetime, type Shared, type View } from "../View.js"

declare const __SS_PROXY_VERSION__: string

const facts = (version: Version): HTMLElement =>
  element(
    "dl",
    { class: "facts" },
    ...[
      ["Proxy", `ss-proxy ${version.version}`],
      ["This page", __SS_PROXY_VERSION__],
      ["Node", version.node],
      ["Started", moment(version.started_at)],
    ].flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
  )

const links = (): HTMLElement => {
  const to = (href: string, label: string, what: string): HTMLElement =>
    element("li", {}, element("a", { is: { href, target: "_blank", rel: "noopener" } }, label), ` ${what}`)
  return element(
    "ul",
    { class: "links" },
    to("/docs", "Reference", "of all calls of the API"),
    to("/openapi.json", "OpenAPI", "the same, for programs"),
    to("/metrics", "Metrics", "for Prometheus"),
    to("/readyz?verbose", "Readiness", "whether it takes requests"),
  )
}

/** What runs, with which settings, and where each is from. */
export const aboutView = (shared: Shared, lifetime: Lifetime): View => {
  const problem = element("div", { class: "problem", is: { role: "alert" } })
  const about = element("div", { class: "card pad" })
  const search = input("", { type: "search", placeholder: "Search settings", "aria-label": "Search settings" })
  let settings: ReadonlyArray<Setting> = []
  const table = new Table<Setting>(
    "Settings",
    [
      { title: "Setting", class: "mono", text: ({ name }) => name },
      { title: "Value", class: "mono wide", text: ({ value }) => value },
      { title: "From", text: ({ from }) => from, tone: ({ from }) => (from === "default" ? "dim" : "given") },
    ],
    ({ name }) => name,
    "No setting fits.",
  )
  const area = element("div", { class: "card grow" }, table.node)
  const draw = (): void => table.show(settings.filter(({ name }) => name.includes(search.value.toLowerCase())))
  const loader = new Loader(
    area,
    lifetime,
    async (signal) => ({
      version: await shared.api.get<Version>("/v1/version", signal),
      config: await shared.api.get<{ readonly settings: ReadonlyArray<Setting> }>("/v1/config", signal),
    }),
    ({ config, version }) => {
      settings = config.settings.toSorted(
        (one, other) => Number(one.from === "default") - Number(other.from === "default"),
      )
      fill(about, facts(version), links())
      draw()
    },
    (error) => fill(problem, problemText(error)),
  )
  search.addEventListener("input", draw)
  loader.restart()
  return {
    title: "About",
    node: element("section", { class: "page" }, problem, about, element("div", { class: "bar" }, search), area),
    keys: { "/": () => search.focus() },
    reload: loader.restart,
  }
}
