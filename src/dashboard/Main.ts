import { Api, type Problem } from "./Api.js"
import { button, element, fill, input, link, setClass, setText } from "./Element.js"
import { type Connection, Feed } from "./Feed.js"
import { duration, moment } from "./Format.js"
import { listenForKeys, showKeys } from "./Keys.js"
import { aboutView } from "./pages/About.js"
import { errorsView } from "./pages/Errors.js"
import { liveView } from "./pages/Live.js"
import { overviewView } from "./pages/Overview.js"
import { sessionView } from "./pages/Session.js"
import { sessionsView } from "./pages/Sessions.js"
import { currentToken, forgetToken, keepToken } from "./Token.js"
import { Lifetime, type Shared, type View } from "./View.js"

/** So long a word on what was done stays, in milliseconds. */
const sayFor = 4_000

const pages = [
  ["#/", "Overview"],
  ["#/sessions", "Sessions"],
  ["#/live", "Live"],
  ["#/errors", "Errors"],
  ["#/about", "About"],
] as const

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The page for a route, and which of the links leads to it. */
const viewFor = (route: string, shared: Shared, lifetime: Lifetime): readonly [place: string, view: View] => {
  const [, page = "", rest] = /^#\/([a-z]*)(?:\/(.*))?$/s.exec(route) ?? []
  if (page === "sessions" && rest !== undefined && rest !== "")
    return ["#/sessions", sessionView(shared, lifetime, decoded(rest))]
  if (page === "sessions") return ["#/sessions", sessionsView(shared, lifetime)]
  if (page === "live") return ["#/live", liveView(shared, lifetime)]
  if (page === "errors") return ["#/errors", errorsView(shared, lifetime)]
  if (page === "about") return ["#/about", aboutView(shared, lifetime)]
  return ["#/", overviewView(shared, lifetime)]
}

const logo = (): HTMLElement =>
  element("span", { class: "logo" }, element("i", { is: { "aria-hidden": "true" } }), "ss-proxy")

/** Asks for a token. `why`: what was wrong with the last one. */
const askForToken = (why: string | undefined): void => {
  const token = input("", { type: "password", required: "", "aria-label": "Token" })
  const enter = (event: Event): void => {
    event.preventDefault()
    if (token.value.trim() === "") return
    keepToken(token.value.trim())
    start()
  }
  fill(
    document.body,
    element(
      "main",
      { class: "sign-in" },
      element(
        "form",
        { class: "card pad", on: { submit: enter } },
        logo(),
        element("h1", {}, "Sign in"),
        why === undefined ? undefined : element("p", { class: "bad", is: { role: "alert" } }, why),
        element("label", { class: "field" }, element("span", {}, "Token"), token),
        element("button", { class: "primary", is: { type: "submit" } }, "Open"),
        element(
          "p",
          { class: "dim" },
          "No token? On the machine of the proxy, ",
          element("code", {}, "ss-proxy dashboard"),
          " opens this page with one.",
        ),
      ),
    ),
  )
  token.focus()
}

/** What is always there: links, the state of the connection, and what is said. */
const makeShell = (signOut: () => void, retry: () => void) => {
  const links = pages.map(([route, label]) => link(route, label))
  const state = element("span", { class: "connection" }, "connecting")
  const access = element("span", { class: "chip off" }, "read only")
  access.hidden = true
  const banner = element("div", { class: "banner" })
  banner.hidden = true
  const bannerText = element("span")
  const again = button("Try now", retry)
  fill(banner, bannerText, again)
  const polite = element("div", { class: "unseen", is: { role: "status", "aria-live": "polite" } })
  const toast = element("div", { class: "toast", is: { "aria-hidden": "true" } })
  toast.hidden = true
  const main = element("main", { is: { id: "main", tabindex: "-1" } })
  fill(
    document.body,
    element(
      "a",
      {
        class: "skip",
        is: { href: "#main" },
        on: {
          click: (event) => {
            event.preventDefault()
            main.focus()
          },
        },
      },
      "Skip to the content",
    ),
    element(
      "header",
      { class: "top" },
      logo(),
      state,
      access,
      element("span", { class: "gap" }),
      button("Keys", showKeys, { class: "quiet keys-hint", title: "?" }),
      button("Sign out", signOut, { class: "quiet" }),
    ),
    element("nav", { is: { "aria-label": "Pages" } }, ...links),
    banner,
    main,
    polite,
    toast,
  )
  return { access, again, banner, bannerText, links, main, polite, state, toast }
}

type Shell = ReturnType<typeof makeShell>

/** The words of the banner, where there is something to say. */
const bannerOf = ({ lostAt = Date.now(), problem = "", retryAt = 0, state }: Connection): string => {
  const next = Math.max(0, Math.ceil((retryAt - Date.now()) / 1_000))
  if (state === "outdated")
    return `This proxy is of another version than this page, and has no live figures. Reload the page. (${problem})`
  const [since, at] = [duration((Date.now() - lostAt) / 1_000), moment(new Date(lostAt).toISOString())]
  return `Disconnected for ${since}. ${problem} What you see is of ${at}. Next try ${next === 0 ? "now" : `in ${next} s`}.`
}

const showConnection = ({ again, banner, bannerText, main, state }: Shell, connection: Connection): void => {
  const isLost = connection.state === "lost" || connection.state === "outdated"
  setText(
    state,
    { connecting: "connecting", open: "live", lost: "disconnected", outdated: "not live" }[connection.state],
  )
  setClass(state, `connection ${connection.state}`)
  banner.hidden = !isLost
  again.hidden = connection.state === "outdated"
  main.classList.toggle("old", connection.state === "lost")
  if (isLost) setText(bannerText, bannerOf(connection))
}

const sayIn = ({ polite, toast }: Shell) => {
  let timer: ReturnType<typeof setTimeout> | undefined
  return (text: string, isProblem = false): void => {
    setText(polite, text)
    setText(toast, text)
    setClass(toast, isProblem ? "toast bad" : "toast")
    toast.hidden = false
    clearTimeout(timer)
    timer = setTimeout(() => (toast.hidden = true), sayFor)
  }
}

/** Everything, with a token, until it is signed out or the token is refused. */
const run = (token: string): void => {
  const whole = new Lifetime()
  const leave = (why?: string): void => {
    if (whole.signal.aborted) return
    whole.end()
    page.end()
    forgetToken()
    askForToken(why)
  }
  const refused = ({ message }: Problem): void =>
    leave(`This token is not accepted; perhaps the proxy was started again. ${message}`)
  const api = new Api(token, refused, () => {
    shell.access.hidden = api.mayWrite
    open()
  })
  const shell = makeShell(
    () => leave(),
    () => feed.retry(),
  )
  const feed = new Feed(api, whole.signal)
  const say = sayIn(shell)
  const go = (route: string): void => {
    location.hash = route
  }
  const shared: Shared = { api, feed, go, say }
  let page = new Lifetime()
  let view: View | undefined
  const open = (): void => {
    if (whole.signal.aborted) return
    page.end()
    page = new Lifetime()
    const [place, opened] = viewFor(location.hash, shared, page)
    view = opened
    for (const node of shell.links) node.ariaCurrent = node.getAttribute("href") === place ? "page" : null
    document.title = `${opened.title} · ss-proxy`
    fill(shell.main, opened.node)
  }
  let wasLost = false
  feed.onConnection.add((connection) => {
    showConnection(shell, connection)
    if (connection.state === "open" && wasLost) {
      say("Connected again.")
      view?.reload()
    } else if (connection.state === "lost" && !wasLost) setText(shell.polite, "Disconnected.")
    wasLost = connection.state === "lost"
  }, whole.signal)
  whole.every(1_000, () => showConnection(shell, feed.connection))
  addEventListener(
    "hashchange",
    () => {
      if (location.hash.startsWith("#token=")) return start()
      open()
      shell.main.focus()
    },
    { signal: whole.signal },
  )
  current = { keys: () => view?.keys, go, end: () => whole.end(), page: () => page }
  open()
}

interface Running {
  readonly keys: () => View["keys"]
  readonly go: (route: string) => void
  readonly end: () => void
  readonly page: () => Lifetime
}

/** What runs with a token now. */
let current: Running | undefined

/** Begins anew, with the token that there is. */
const start = (): void => {
  current?.page().end()
  current?.end()
  current = undefined
  const token = currentToken()
  if (token === undefined) askForToken(undefined)
  else run(token)
}

addEventListener("hashchange", () => {
  if (current === undefined && location.hash.startsWith("#token=")) start()
})
listenForKeys(
  () => current?.keys(),
  (route) => current?.go(route),
)
start()
