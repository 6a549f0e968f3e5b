import { Effect } from "effect"
import { chatCompletions, models } from "./ChatCompletions.js"
import { textAnswer } from "./DemoAnswer.js"
import type { DemoAnswer, DemoHandler } from "./DemoAnswer.js"
import { DemoRefusal } from "./DemoRequest.js"
import type { DemoRequest } from "./DemoRequest.js"
import { answerStatus, bytes, drip, events, redirect, streamBytes, streamLines } from "./Generation.js"
import {
  countUpload,
  setCookies,
  showAddress,
  showCookies,
  showEverything,
  showHeaders,
  showLater,
  showRequest,
} from "./Inspection.js"

interface DemoRoute {
  /** Methods, with spaces between them. `HEAD` comes with `GET`. */
  readonly methods: string
  /** A path. It may end in `{name}` (one segment) or `{name…}` (the rest of the path). */
  readonly pattern: string
  readonly about: string
  readonly answer: DemoHandler
}

const anyMethod = "ANY"

const route = (methods: string, pattern: string, answer: DemoHandler, about: string): DemoRoute => ({
  methods,
  pattern,
  about,
  answer,
})

const home: DemoHandler = () => Effect.succeed(textAnswer(homePage()))

const routes: ReadonlyArray<DemoRoute> = [
  route("GET", "/", home, "this page"),
  route("GET", "/get", showRequest, "the request, as JSON"),
  route("POST", "/post", showEverything, "the request with its body"),
  route("PUT", "/put", showEverything, "the same"),
  route("PATCH", "/patch", showEverything, "the same"),
  route("DELETE", "/delete", showEverything, "the same"),
  route(anyMethod, "/anything", showEverything, "the same"),
  route(anyMethod, "/anything/{path…}", showEverything, "the same, for every path"),
  route("GET", "/headers", showHeaders, "the fields of the request"),
  route("GET", "/ip", showAddress, "where it came from"),
  route(anyMethod, "/status/{code}", answerStatus, "an empty answer with this status"),
  route(anyMethod, "/delay/{seconds}", showLater, "the request, after up to 60 seconds"),
  route("GET", "/redirect/{n}", redirect, "n redirects, then /get"),
  route("GET", "/cookies", showCookies, "the cookies of the request"),
  route("GET", "/cookies/set", setCookies, "sets ?name=value&…, then /cookies"),
  route("GET", "/bytes/{n}", bytes, "n random bytes, up to 1 GiB"),
  route("GET", "/stream-bytes/{n}", streamBytes, "the same, in chunks"),
  route("GET", "/stream/{n}", streamLines, "n lines of JSON, one after another"),
  route("GET", "/drip", drip, "?numbytes&duration&delay: bytes, slowly"),
  route("GET", "/sse", events, "?count&interval&drop: server-sent events"),
  route("POST PUT PATCH", "/upload", countUpload, "counts the bytes of the body"),
  route("GET", "/v1/models", models, "the models of an OpenAI-style API"),
  route("POST", "/v1/chat/completions", chatCompletions, "its completions, whole or word by word: an echo; ?interval"),
]

/** First line of the page at `/`. `isDemoServer` recognises a demo server by it. */
export const greeting = "The built-in demo server of ss-proxy."

const homePage = (): string => {
  const rows = routes.map(({ methods, pattern, about }) => `  ${methods.padEnd(15)} ${pattern.padEnd(22)} ${about}`)
  return [
    greeting,
    "",
    ...rows,
    "",
    "A WebSocket on any path is sent back what it sends; ?close=CODE&reason=TEXT closes it at once.",
    "",
  ].join("\n")
}

/** The text that matches the pattern's `{…}`, empty if it has none; `undefined` if the path does not match. */
const paramOf = (pattern: string, path: string): string | undefined => {
  const hole = pattern.indexOf("{")
  if (hole < 0) return path === pattern ? "" : undefined
  if (!path.startsWith(pattern.slice(0, hole))) return undefined
  const rest = path.slice(hole)
  return pattern.endsWith("…}") || !rest.includes("/") ? rest : undefined
}

/** The answer of the demo server to a request. */
export const answerRequest = (request: DemoRequest): Effect.Effect<DemoAnswer, DemoRefusal> => {
  const method = request.method === "HEAD" ? "GET" : request.method
  const matches = routes.flatMap((route) => {
    const param = paramOf(route.pattern, request.path)
    return param === undefined ? [] : [{ route, param }]
  })
  const match = matches[0]
  if (match === undefined)
    return new DemoRefusal({ status: 404, detail: `There is nothing at ${request.path}; "/" lists what there is.` })
  const { methods, answer } = match.route
  const allowed = methods.split(" ")
  if (methods !== anyMethod && !allowed.includes(method))
    return new DemoRefusal({
      status: 405,
      detail: `This path only answers ${allowed.join(", ")}.`,
      fields: { Allow: allowed.join(", ") },
    })
  return answer({ ...request, param: match.param })
}
