import { Cause, Context, Effect, Either, Exit, Layer, Option } from "effect"
import { foldedName } from "../../domain/FieldName.js"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import type { ProxyError, StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { addressOf, makeDialer } from "../../downstream/Dial.js"
import { type Answer, Downstream, type RequestHead } from "../../downstream/Downstream.js"
import { Admission } from "../../http/Admission.js"
import { BodyStages } from "../../http/BodyStages.js"
import { type ForwardError, Forwarder } from "../../http/Forwarder.js"
import type { AnswerChange } from "../../http/ProxyRequest.js"
import { RequestHooks } from "../../http/RequestHooks.js"
import { SlashRedirect } from "../../http/SlashRedirect.js"
import { Upgrader } from "../../http/Upgrader.js"
import type { LiveSession } from "../../sessions/LiveSession.js"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { drainingUntil } from "../../sessions/SessionShape.js"
import { shownTarget } from "../../telemetry/Redaction.js"
import { Slots } from "../../traffic/Slots.js"
import { Traffic } from "../../traffic/Traffic.js"
import type { FieldEdits } from "../../wire/FieldEdits.js"
import { describeError } from "../../wire/Reply.js"
import { SessionHosts } from "../../wire/SessionHosts.js"
import { parseTarget, type Route } from "../../wire/Target.js"
import { answerSteps } from "./AnswerSteps.js"
import type { ExplainView } from "../api/ExplainView.js"
import { HypotheticalRequest } from "./HypotheticalRequest.js"
import { policiesInForce } from "./PoliciesInForce.js"
import type { QuestionOf } from "../fleet/Questions.js"
import { healthView, sessionView } from "../fleet/Shapes.js"
import { orStanding } from "../fleet/StandingRows.js"

export type ExplainQuery = QuestionOf<"explain">

type Explanation = typeof ExplainView.Type
type Verdict = Explanation["verdict"]

/** What became of a request that was led as far as to its server, which it was kept from. */
interface Outcome {
  readonly session: LiveSession | undefined
  readonly head: RequestHead | undefined
  readonly error: ForwardError | undefined
  /** What becomes of the answers of its server. */
  readonly change: AnswerChange | undefined
}

/** A row, or none; and when the store was last heard of, as RFC 3339 has it, where it is away. */
interface FoundRow {
  readonly row: Session | undefined
  readonly asOf: string | undefined
}
const noRow: FoundRow = { row: undefined, asOf: undefined }

/** Says what would become of a request, by the very code that would forward it. Nothing is sent, and no hook is asked. */
export class Explain extends Context.Tag("@ss-proxy/Explain")<
  Explain,
  { readonly explain: (query: ExplainQuery) => Effect.Effect<Explanation, StoreUnavailable> }
>() {
  static readonly layer: Layer.Layer<Explain, never, ProxyConfig | SessionDirectory | SessionRepo | Slots | Traffic> =
    Layer.suspend(() => Layer.effect(Explain, make).pipe(Layer.provide(layerPipeline)))
}

/** The pipelines of the proxy, with a server at their end that answers at once and is told nothing. */
const layerPipeline = Layer.suspend(() =>
  Layer.merge(Forwarder.layer, Upgrader.layer).pipe(
    Layer.provide(Admission.layer),
    Layer.provide([Layer.succeed(Downstream, nobody), Layer.succeed(RequestHooks, []), Layer.succeed(BodyStages, [])]),
  ),
)

const silence: Answer = { _tag: "Answer", status: 200, reason: "OK", fields: [], body: { _tag: "Empty" } }

/** Keeps what would have been sent. */
const nobody: typeof Downstream.Service = {
  request: (session, head, _body, observer) => keep(session, head, observer),
  upgrade: (session, head, observer) => keep(session, head, observer),
}

const keep = (session: LiveSession, head: RequestHead, observer: unknown): Exit.Exit<Answer> => {
  if (observer instanceof HypotheticalRequest) observer.sent = { session, head }
  return Exit.succeed(silence)
}

const make = Effect.gen(function* () {
  const settings = yield* ProxyConfig
  const directory = yield* SessionDirectory
  const repo = yield* SessionRepo
  const slots = yield* Slots
  const traffic = yield* Traffic
  const forwarder = yield* Forwarder
  const upgrader = yield* Upgrader
  const dialer = yield* makeDialer
  const hooks = yield* RequestHooks
  const hosts = SessionHosts.of(settings.sessionHosts)
  const slash = new SlashRedirect(settings)

  /** Leads the request through the pipeline. */
  const lead = (request: HypotheticalRequest, upgrades: boolean): Effect.Effect<Outcome> =>
    Effect.gen(function* () {
      const way: Effect.Effect<unknown, ForwardError> = upgrades
        ? upgrader.upgrade(request)
        : forwarder.forward(request)
      const release = Effect.sync(() => request.release())
      const exit = yield* Effect.ensuring(Effect.exit(way), release)
      const session = request.session
      if (Exit.isSuccess(exit)) {
        const head = request.sent?.head
        const change = request.answerChange
        return { session, head, change, error: session && dialer.refusalOf(session.target) }
      }
      const failure = Cause.failureOrCause(exit.cause)
      return Either.isRight(failure)
        ? yield* Effect.failCause(failure.right)
        : { session, head: undefined, change: undefined, error: failure.left }
    })

  /** Where there is a limit, what it counts; else what is under way here. */
  const limitsOf = (session: LiveSession): Effect.Effect<Explanation["limits"]> =>
    Effect.map(slots.taken(session), ({ requestsOfSession, webSockets, webSocketsOfSession }) => {
      const sockets = traffic.things().filter(({ kind }) => kind === "websocket")
      const ofSession = () => sockets.filter((one) => one.session === session).length
      const { maxRequestsPerSession, maxWebSockets, maxWebSocketsPerSession } = settings
      const most = (limit: number) => (limit === Infinity ? null : limit)
      return [
        {
          name: "requests of the session",
          now: requestsOfSession ?? traffic.requestsOf(session),
          most: most(maxRequestsPerSession),
        },
        {
          name: "websockets of the session",
          now: webSocketsOfSession ?? ofSession(),
          most: most(maxWebSocketsPerSession),
        },
        { name: "websockets", now: webSockets ?? sockets.length, most: most(maxWebSockets) },
      ]
    })

  const isRedirected = (query: ExplainQuery, route: Route | undefined, session: LiveSession | undefined): boolean =>
    route?._tag === "Session" &&
    session !== undefined &&
    !query.upgrades &&
    slash.appliesTo(query.method, session, route)

  /** The row of a session; while the store is away the one that it is served by. */
  const rowOf = (id: string): Effect.Effect<FoundRow, StoreUnavailable> =>
    orStanding(repo)(
      Effect.map(repo.find(id), (row): FoundRow => ({ row: Option.getOrUndefined(row)?.session, asOf: undefined })),
      (asOf) => Effect.succeed({ row: directory.rowOf(id), asOf }),
    )

  const explain = (query: ExplainQuery) =>
    Effect.gen(function* () {
      const parsed = Either.getOrUndefined(parseTarget(query.method, query.target, query.host, hosts))
      const id = parsed?._tag === "Session" ? parsed.id : undefined
      const isKnown = id !== undefined && directory.activityOf(id) !== undefined
      const request = new HypotheticalRequest(query)
      const outcome = yield* lead(request, query.upgrades)
      const { session } = outcome
      const { asOf, row: found } = id === undefined ? noRow : yield* rowOf(session?.id ?? id)
      const verdict = verdictOf(outcome)
      const policies = session === undefined ? [] : policiesInForce(session.policy, settings)
      const known = isKnown ? directory.healthOf(id) : undefined
      const health = known === undefined ? null : healthView(known)
      return {
        route: parsed === undefined ? null : routeView(parsed, query.target),
        session: found === undefined ? null : sessionView(found),
        lifetime:
          session === undefined
            ? null
            : { generation: session.generation, known_from: isKnown ? ("memory" as const) : ("store" as const) },
        target: outcome.head === undefined || session === undefined ? null : urlOf(session, outcome.head),
        fields: outcome.head === undefined ? [] : fieldsOf(outcome.head, session?.requestRules.edits),
        policies,
        guard: session === undefined ? null : guardView(session, outcome),
        health,
        limits: session === undefined ? [] : yield* limitsOf(session),
        verdict,
        steps: stepsOf(
          query,
          { route: parsed, row: found, asOf, health, policies, isRedirected: isRedirected(query, parsed, session) },
          outcome,
          verdict,
          hooks.length,
        ),
        ...(asOf !== undefined && { as_of: asOf }),
      }
    })
  return { explain }
})

const routeView = (route: Route, target: string): Explanation["route"] => ({
  form: target.startsWith("/") ? "origin" : target === "*" ? "asterisk" : "absolute",
  session: route._tag === "Session" ? route.id : null,
  rest: route._tag === "Session" ? shownTarget(route.rest, "redact") : "",
  websocket_only: route._tag === "Session" && route.webSocketOnly,
  by_host: route._tag === "Session" && route.byHost,
})

const urlOf = ({ target }: LiveSession, head: RequestHead): string =>
  `${target.secure ? "https" : "http"}://${target.authority}${shownTarget(head.target, "redact")}`

/** Credentials of the session's URL are among the fields, and what policies or settings set. */
const fieldsOf = ({ fields }: RequestHead, edits: FieldEdits | undefined): Explanation["fields"] =>
  fields.flatMap((name, index) => {
    if (index % 2 === 1) return []
    const isSecret = /^authorization$/i.test(name) || edits?.gone.has(foldedName(name)) === true
    return [{ name, value: isSecret ? "REDACTED" : (fields[index + 1] ?? "") }]
  })

const guardView = ({ target }: LiveSession, { error }: Outcome): Explanation["guard"] => {
  const denied = error?._tag === "DownstreamUnreachable" && error.reason === "denied" ? "not permitted" : null
  return { address: addressOf(target), denied: error?._tag === "LoopDetected" ? "the proxy itself" : denied }
}

const isProxyError = (error: ForwardError): error is ProxyError =>
  error._tag !== "Reply" && error._tag !== "RequestBroken"

const verdictOf = ({ error, session }: Outcome): Verdict => {
  if (error === undefined && session !== undefined)
    return { forwards: true, status: null, code: null, detail: `It goes to ${addressOf(session.target)}.` }
  if (error?._tag === "Reply")
    return { forwards: false, status: error.status, code: null, detail: "The proxy answers it itself." }
  if (error !== undefined && isProxyError(error)) {
    const { code, detail, status } = describeError(error)
    return { forwards: false, status, code, detail }
  }
  return { forwards: false, status: null, code: null, detail: "It is not forwarded." }
}

const routeStep = (route: Route | undefined): string => {
  switch (route?._tag) {
    case "Session":
      if (route.byHost) return `the host names the session ${route.id}, and the whole path is the session's`
      return `the path names the session ${route.id}${route.webSocketOnly ? ", for WebSockets alone" : ""}`
    case "Health":
      return "the path is the proxy's own: /health"
    case "Proxy":
      return "it is about the proxy as a whole"
    case undefined:
      return "the target names no session"
  }
}

const rowStep = (route: Route | undefined, { asOf, row }: FoundRow, error: Outcome["error"]): ReadonlyArray<string> => {
  if (route?._tag !== "Session") return []
  const unusable = unusableStep(error)
  const away = asOf === undefined ? [] : [`the database is away; it was last heard of at ${asOf}`]
  if (row === undefined) {
    if (unusable.length > 0) return [...away, ...unusable]
    return asOf === undefined
      ? ["there is no session with this id"]
      : [...away, "this process does not know the session"]
  }
  const until = drainingUntil(row)
  const status = `its status is ${row.status}${until === undefined ? "" : `, and it drains until ${until}`}`
  return [...away, status, ...unusable]
}

/** What is wrong with what is stored, which clients are not told. */
const unusableStep = (error: Outcome["error"]): ReadonlyArray<string> => {
  switch (error?._tag) {
    case "DownstreamUrlInvalid":
    case "SessionControlInvalid":
    case "SessionPolicyInvalid":
      return [`what is stored for it cannot be used: ${error.problem}`]
    default:
      return []
  }
}

const healthStep = (health: Explanation["health"]): ReadonlyArray<string> => {
  switch (health?.state) {
    case undefined:
      return []
    case "unknown":
      return ["its server has not been asked yet"]
    case "ok":
      return [`its server has answered since ${health.since}`]
    case "failing": {
      const { code, reason } = health.last_error ?? { code: "", reason: null }
      const last = reason === null ? code : `${code} (${reason})`
      const often = health.failures === 1 ? "once" : `${health.failures} times in a row`
      return [`its server has failed since ${health.since}, ${often}, last with ${last}`]
    }
  }
}

/** What the session has otherwise than the proxy. */
const policyStep = (policies: Explanation["policies"]): ReadonlyArray<string> => {
  const own = policies.filter(({ from }) => from === "session").map(({ name, value }) => `${name} ${value}`)
  return own.length === 0 ? [] : [`by its own policies: ${own.join(", ")}`]
}

/** What was found on the way. */
interface Found extends Pick<Explanation, "health" | "policies">, FoundRow {
  readonly route: Route | undefined
  /** Browsers are sent to the path with a slash behind it. */
  readonly isRedirected: boolean
}

const stepsOf = (
  { method, upgrades }: ExplainQuery,
  { asOf, health, isRedirected, policies, route, row }: Found,
  { change, error, head, session }: Outcome,
  { code, forwards, status }: Verdict,
  hooks: number,
): ReadonlyArray<string> => [
  routeStep(route),
  ...rowStep(route, { asOf, row }, error),
  ...(session !== undefined && head !== undefined
    ? [`${upgrades ? "the handshake" : method} becomes ${urlOf(session, head)}`]
    : []),
  ...(isRedirected ? ["a browser, which asks for HTML, gets 308 to the path with a slash at its end"] : []),
  ...(head === undefined ? [] : answerSteps(change, head)),
  ...healthStep(health),
  ...policyStep(policies),
  ...(hooks > 0 ? [`${hooks} hooks of the program that embeds the proxy are not asked here`] : []),
  forwards ? "it is forwarded; nothing was sent to find out" : `the proxy answers ${[status, code].join(" ").trim()}`,
]
