import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { Effect, type Scope } from "effect"
import { makePage, type Page } from "../../src/admin/Page.js"
import type { AdminAnswer } from "../../src/admin/AdminAnswer.js"
import { writeAnswer } from "../../src/admin/AdminAnswer.js"
import type { Failure, Live, LiveCounts, Sample, Session } from "../../src/dashboard/Shapes.js"

// A proxy that answers the calls of the dashboard, with as many sessions as a test wants, and nothing behind them.

/** A session as it is kept here. */
export type FakeSession = { -readonly [Key in keyof Session]: Session[Key] }

export interface FakeOptions {
  readonly sessions?: ReadonlyArray<FakeSession>
  readonly live?: ReadonlyArray<Live>
  readonly errors?: ReadonlyArray<Failure>
  readonly records?: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly readOnly?: boolean
  /** So many of the sessions that are looked at change each second. */
  readonly pace?: number
}

export const noLive: LiveCounts = {
  requests: 0,
  streams: 0,
  websockets: 0,
  requests_per_second: 0,
  errors_per_second: 0,
  bytes_in_per_second: 0,
  bytes_out_per_second: 0,
  p50_ms: null,
  p99_ms: null,
  last_error: null,
}

/** The same numbers at every run: pictures change only where the page does. */
export const wave = (at: number, period: number): number => (1 + Math.sin((2 * Math.PI * at) / period)) / 2

export const fakeSession = (id: string, rest: Partial<FakeSession> = {}): FakeSession => ({
  id,
  url: "http://10.0.0.7:9000",
  status: "active",
  forwards: true,
  created_at: "2026-01-05T09:00:00Z",
  updated_at: "2026-01-05T09:00:00Z",
  insecure: false,
  ws_path: null,
  draining_until: null,
  health: null,
  live: noLive,
  activity: {
    last_request_at: null,
    last_client_at: null,
    last_server_at: null,
    last_kind: "request",
    idle_seconds: 12,
    requests: 0,
    errors: 0,
    bytes_in: 0,
    bytes_out: 0,
  },
  ...rest,
})

/** `at`: seconds since some beginning. */
export const fakeSample = (at: number, time: number): Sample => {
  const rate = 900 + 500 * wave(at, 420) + 60 * wave(at, 17)
  const errors = at % 200 < 12 ? 6 : 0
  return {
    time: new Date(time).toISOString(),
    requests_per_second: rate,
    answers_per_second: {
      "1xx": 0,
      "2xx": rate * 0.93,
      "3xx": rate * 0.04,
      "4xx": rate * 0.03,
      "5xx": errors,
      none: 0,
    },
    errors_per_second: errors,
    bytes_in_per_second: rate * 900,
    bytes_out_per_second: rate * 6_000,
    p50_ms: 4 + 2 * wave(at, 300),
    p99_ms: 18 + 20 * wave(at, 260) + 9 * wave(at, 13),
    first_byte_p99_ms: 12 + 9 * wave(at, 260),
    requests: Math.round(12 + 20 * wave(at, 100)),
    streams: Math.round(40 + 8 * wave(at, 500)),
    websockets: Math.round(310 + 60 * wave(at, 800)),
    loop_utilization: 0.31,
  }
}

const json = (response: ServerResponse, status: number, body: unknown, fields: Record<string, string> = {}): void => {
  response.writeHead(status, { "Content-Type": "application/json", ...fields })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

const problem = (response: ServerResponse, status: number, code: string, detail: string): void =>
  json(response, status, { type: `urn:ss-proxy:error:${code}`, title: code, status, detail, code, request_id: "0" })

const bodyOf = async (request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> => {
  const pieces: Array<Buffer> = []
  for await (const piece of request) pieces.push(piece)
  const text = Buffer.concat(pieces).toString()
  return text === "" ? {} : JSON.parse(text)
}

/** One that runs. */
export class FakeProxy {
  readonly sessions: Array<FakeSession>
  /** What was asked to be changed: method, path and body. */
  readonly changes: Array<readonly [call: string, body: unknown]> = []
  private readonly began = Date.now()
  private readonly streams = new Set<ServerResponse>()

  constructor(
    readonly port: number,
    private readonly options: FakeOptions,
  ) {
    this.sessions = [...(options.sessions ?? [])]
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Ends every stream, as a proxy does that ends. */
  endStreams(): void {
    for (const stream of this.streams) stream.end()
  }

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? "/", this.url)
    if (this.options.readOnly === true) response.setHeader("SS-Proxy-Access", "read")
    else response.setHeader("SS-Proxy-Access", "write")
    if (request.headers.authorization !== `Bearer ${fakeToken}`)
      return problem(response, 401, "unauthorized", "This needs a token.")
    const [, first = "", id = "", rest = ""] = /^\/v1\/([a-z]+)(?:\/([^/]+))?(?:\/(.+))?$/.exec(url.pathname) ?? []
    if (first === "sessions" && id !== "") return void this.session(request, response, decodeURIComponent(id), rest)
    this.collection(request, response, url, first === "stats" ? `${first}${id}` : first)
  }

  private collection(request: IncomingMessage, response: ServerResponse, url: URL, name: string): void {
    const at = (Date.now() - this.began) / 1_000
    switch (name) {
      case "version":
        return json(response, 200, { version: "0.1.0", node: "v20.20.2", started_at: "2026-01-05T08:00:00Z" })
      case "sessions":
        return this.list(response, url.searchParams)
      case "live":
        if (request.method !== "GET") return void this.change(request, response, url.pathname)
        return json(response, 200, { live: this.options.live ?? [], next: null, missing: [] })
      case "errors":
        return json(response, 200, { errors: this.options.errors ?? [], missing: [] })
      case "processes":
        return json(response, 200, { processes: [this.process()], missing: [] })
      case "config":
        return json(response, 200, { settings: fakeSettings })
      case "explain":
        return json(response, 200, fakeExplanation)
      case "stats":
        return json(response, 200, this.stats(at))
      case "statshistory": {
        const samples = Array.from({ length: 900 }, (_, index) =>
          fakeSample(at + index - 900, Date.now() - (900 - index) * 1_000),
        )
        return json(response, 200, { interval_seconds: 1, samples, missing: [] })
      }
      case "events":
        return this.events(response, /[?&]sessions=([^&]*)/.exec(url.search)?.[1] ?? "")
      case "tail":
        return this.tail(response)
      default:
        return problem(response, 404, "not_found", "There is no such call.")
    }
  }

  private process() {
    const live = { requests: 21, streams: 43, websockets: 340 }
    const memory = { rss: 148e6, heap_used: 61e6, heap_total: 90e6, external: 4e6 }
    return {
      process: "4f2a",
      role: "proxy",
      worker: null,
      generation: null,
      pid: 4_711,
      started_at: "2026-01-05T08:00:00Z",
      uptime_seconds: 93_700,
      draining: false,
      live,
      memory,
      loop_utilization: 0.31,
    }
  }

  private stats(at: number) {
    const draining = this.sessions.filter(({ draining_until: until }) => typeof until === "string").length
    return {
      sample: fakeSample(at, Date.now()),
      sessions: {
        known: this.sessions.length,
        draining,
        forwarding: this.sessions.length - draining,
        others: draining,
      },
      store: { state: "ok", last_ok_at: new Date().toISOString(), problem: null },
      process: "4f2a",
      missing: [],
    }
  }

  private list(response: ServerResponse, query: URLSearchParams): void {
    const [limit, after] = [Number(query.get("limit") ?? 100), Number(query.get("after") ?? 0)]
    const [q, status] = [query.get("q") ?? "", query.get("status")]
    const fitting = this.sessions.filter(({ id, status: own }) => id.includes(q) && (status === null || own === status))
    const sessions = fitting.slice(after, after + limit)
    const next = after + limit < fitting.length ? String(after + limit) : null
    json(response, 200, { sessions, next, missing: [] })
  }

  private async session(request: IncomingMessage, response: ServerResponse, id: string, rest: string): Promise<void> {
    const found = this.sessions.find((session) => session.id === id)
    if (request.method !== "GET") return this.change(request, response, id, rest)
    if (found === undefined) return problem(response, 404, "session_not_found", "There is no session with this id.")
    if (rest !== "activity") return json(response, 200, found, { ETag: `"${found.updated_at}"` })
    const more = { last_client: "192.0.2.14", uncounted: { pings: 41, ignored_requests: 3 }, problem: null }
    json(response, 200, { ...found.activity, ...more, session: id, open: [] })
  }

  private async change(request: IncomingMessage, response: ServerResponse, id: string, rest = ""): Promise<void> {
    const [method = "", body] = [request.method, await bodyOf(request)]
    this.changes.push([`${method} ${id}${rest === "" ? "" : ` ${rest}`}`, body])
    const at = this.sessions.findIndex((session) => session.id === id)
    const found = this.sessions[at]
    const match = request.headers["if-match"]
    if (match !== undefined && match !== `"${found?.updated_at}"`)
      return problem(response, 412, "precondition_failed", "The session has changed.")
    if (method === "PUT") {
      if (found !== undefined) return problem(response, 412, "precondition_failed", "There is one.")
      this.sessions.push(fakeSession(id, body))
      return json(response, 201, {})
    }
    if (rest === "kill") return json(response, 202, { requests: 1, streams: 0, websockets: 2 })
    if (rest === "drain" && found !== undefined)
      found.draining_until = method === "POST" ? new Date(Date.now() + 30_000).toISOString() : null
    if (method === "PATCH" && found !== undefined) Object.assign(found, body, { updated_at: new Date().toISOString() })
    if (method === "DELETE" && rest === "" && at >= 0) this.sessions.splice(at, 1)
    json(response, 200, {})
  }

  private openStream(response: ServerResponse): void {
    this.streams.add(response)
    response.once("close", () => this.streams.delete(response))
    response.writeHead(200, { "Content-Type": "text/event-stream" })
    response.write("retry: 2000\n\n")
  }

  private events(response: ServerResponse, ids: string): void {
    this.openStream(response)
    const watched = new Set(ids.split(",").map(decodeURIComponent))
    const looked = this.sessions.filter(({ id }) => watched.has(id))
    const send = (event: string, data: unknown) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    let turn = 0
    const tick = (): void => {
      const at = (Date.now() - this.began) / 1_000
      send("stats", fakeSample(at, Date.now()))
      const pace = this.options.pace ?? 0
      const changed = pace === 0 ? [] : looked.slice(0, pace)
      turn += 1
      const rate = turn % 50
      const views = changed.map(({ id, live = noLive }) => ({
        id,
        live: { ...live, requests_per_second: rate + (live.requests_per_second ?? 0) },
      }))
      if (views.length > 0) send("sessions", { sessions: views })
    }
    tick()
    const timer = setInterval(tick, 1_000)
    response.once("close", () => clearInterval(timer))
  }

  private tail(response: ServerResponse): void {
    this.openStream(response)
    for (const record of this.options.records ?? [])
      response.write(`event: record\ndata: ${JSON.stringify(record)}\n\n`)
  }
}

export const fakeToken = "token-of-the-fake-proxy"

const fakeSettings = [
  { name: "port", value: "8080", from: "flag" },
  { name: "admin-port", value: "9091", from: "variable" },
  { name: "timeout", value: "30", from: "default" },
  { name: "grace", value: "30", from: "default" },
  { name: "ws-path", value: "append", from: "default" },
  { name: "adminToken", value: "set", from: "variable" },
]

const fakeExplanation = {
  target: "http://10.0.0.7:9000/",
  verdict: { forwards: true, status: null, code: null, detail: "" },
  steps: ["the path names the session", "its row says active", "forwards"],
}

const answerPage = (page: Page, request: IncomingMessage, response: ServerResponse): void => {
  const answer = page(new URL(request.url ?? "/", "http://x").pathname, request.headers["accept-encoding"])
  if (answer === undefined) return problem(response, 404, "not_found", "There is nothing here.")
  void Effect.runPromise(Effect.map(answer, (answer: AdminAnswer) => writeAnswer(response, answer)))
}

/** Starts one; it ends with the scope. `port`: 0 takes a free one. */
export const startFakeProxy = (options: FakeOptions, port = 0): Effect.Effect<FakeProxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const page = yield* makePage
    const server = createServer()
    const listening = Effect.async<Server>((resume) => {
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    })
    yield* Effect.acquireRelease(listening, (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      }),
    )
    const address = server.address()
    if (address === null || typeof address === "string") return yield* Effect.dieMessage("no port")
    const proxy = new FakeProxy(address.port, options)
    server.on("request", (request, response) => {
      if (request.url?.startsWith("/v1/") === true) proxy.answer(request, response)
      else answerPage(page, request, response)
    })
    return proxy
  })
