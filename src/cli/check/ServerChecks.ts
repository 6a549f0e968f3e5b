import { Array as Arr, Effect, Either, Layer, type Scope } from "effect"
import { TLSSocket } from "node:tls"
import { ProxyConfig, type ProxySettings } from "../../domain/ProxyConfig.js"
import type { DialError, StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { defaultPolicy } from "../../domain/SessionPolicy.js"
import { addressOf, cutUnheard, type Dialer, makeDialer } from "../../downstream/Dial.js"
import { DownstreamCertificates } from "../../downstream/DownstreamTls.js"
import { LiveSession } from "../../sessions/LiveSession.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { forwards } from "../../sessions/SessionShape.js"
import { failureOf } from "../../telemetry/Failure.js"
import { parseDownstreamUrl } from "../../wire/DownstreamUrl.js"
import { type Database, openAsItIs } from "../Database.js"
import type { FollowedTls } from "../run/FollowedTls.js"
import { progressBar, progressLine } from "../Progress.js"
import { type Finding, findingsOf } from "./Finding.js"

/** Servers that are dialled at a time, and how long one may take, in milliseconds. */
const atOnce = 16
const patience = 2_000

/** Rows that are read in one go. */
const pageSize = 500

/** A certificate that ends sooner is to be renewed. Days. */
const soon = 14

/** What became of one server. The names are those of `--json`. */
export interface ServerFinding {
  readonly session: string
  readonly server: string
  /** Why no connection to it came to be; null where one did. */
  readonly problem: string | null
  readonly milliseconds: number
  /** Whole days until its certificate ends; null without TLS. */
  readonly certificate_days: number | null
}

/** So many of the sessions that forward, any of them as likely as another (Vitter, Algorithm R). Reads all rows. */
const sampleOf = (most: number): Effect.Effect<ReadonlyArray<Session>, StoreUnavailable, SessionRepo | Scope.Scope> =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const show = yield* progressLine
    const sample: Array<Session> = []
    let [seen, read] = [0, 0]
    const take = (session: Session): void => {
      if (!forwards(session)) return
      const place = seen < most ? seen : Math.floor(Math.random() * (seen + 1))
      seen++
      if (place < most) sample[place] = session
    }
    yield* repo.forEachPage({ prefix: "", sort: "id", after: undefined, pageSize }, (page) =>
      Effect.sync(() => {
        page.forEach(take)
        show(`choosing servers: ${(read += page.length)} sessions read`)
        return true
      }),
    )
    return sample
  })

const problemOf = (error: DialError): string => {
  const { cause, reason } = failureOf(error)
  return reason === undefined ? cause : `${cause} (${reason})`
}

const daysLeft = (socket: unknown, now: number): number | null => {
  if (!(socket instanceof TLSSocket)) return null
  const end = Date.parse(socket.getPeerCertificate().valid_to)
  return Number.isNaN(end) ? null : Math.floor((end - now) / 86_400_000)
}

/** Connects to the server of a session as a request would, and says nothing. */
const dial = (dialer: Dialer, { id, policy, url }: Session): Effect.Effect<ServerFinding> =>
  Effect.async((resume) => {
    const parsed = parseDownstreamUrl(url)
    const begun = performance.now()
    const found = (server: string, problem: string | null, certificate_days: number | null) => {
      const milliseconds = Math.round(performance.now() - begun)
      resume(Effect.succeed({ session: id, server, problem, milliseconds, certificate_days }))
    }
    if (Either.isLeft(parsed)) return found("", parsed.left.problem, null)
    const insecure = { ...defaultPolicy, insecure: policy.insecure === true }
    const { target } = new LiveSession(id, parsed.right, undefined, insecure)
    const server = addressOf(target)
    const cancel = dialer.dial(target, {
      connected: (socket) => {
        const days = daysLeft(socket, Date.now())
        cutUnheard(socket)
        found(server, null, days)
      },
      failed: (error) => found(server, problemOf(error), null),
    })
    return Effect.sync(cancel)
  })

const layerDialing = (settings: ProxySettings, tls: FollowedTls | undefined) =>
  Layer.merge(
    ProxyConfig.layerOf({ ...settings, connectTimeout: patience }),
    tls === undefined ? Layer.empty : Layer.succeed(DownstreamCertificates, () => tls.current(() => {})),
  )

/** Connects to servers of sessions: as many of them as are wanted, chosen at random. Slow ones are shown to be under way. */
export const dialServers = (
  most: number,
  database: Database,
  settings: ProxySettings,
  tls: FollowedTls | undefined,
): Effect.Effect<ReadonlyArray<ServerFinding>, StoreUnavailable> =>
  Effect.gen(function* () {
    const sample = yield* Effect.scoped(sampleOf(most))
    const dialer = yield* Effect.provide(makeDialer, layerDialing(settings, tls))
    const show = yield* progressLine
    let done = 0
    const dialled = (session: Session) =>
      Effect.tap(dial(dialer, session), () =>
        Effect.sync(() => show(progressBar(++done / sample.length, `${done} of ${sample.length} servers`))),
      )
    return yield* Effect.forEach(sample, dialled, { concurrency: atOnce })
  }).pipe(Effect.scoped, Effect.provide(openAsItIs(database)))

/** So many are named; `--json` has all. */
const mostNamed = 10

const named = (findings: ReadonlyArray<ServerFinding>, what: (finding: ServerFinding) => string): string => {
  const names = findings
    .slice(0, mostNamed)
    .map((finding) => `${finding.session} (${finding.server}): ${what(finding)}`)
  const more = findings.length > mostNamed ? [`${findings.length - mostNamed} more`] : []
  return [...names, ...more].join("; ")
}

/** What is to be said of them. */
export const serverFindings = (servers: ReadonlyArray<ServerFinding>): ReadonlyArray<Finding> => {
  const { fail, ok, warn } = findingsOf("servers")
  if (servers.length === 0) return [ok("no session forwards, so there is no server to try")]
  const [reached, lost] = Arr.partition(servers, ({ problem }) => problem !== null)
  const ending = reached.filter(({ certificate_days: days }) => days !== null && days < soon)
  return [
    ...(reached.length > 0 ? [ok(`${reached.length} of ${servers.length} that were tried take connections`)] : []),
    ...(lost.length > 0
      ? [
          fail(
            `${lost.length} of ${servers.length} cannot be reached: ${named(lost, ({ problem }) => problem ?? "")}`,
            "start them, or remove sessions that are over; docs/ERRORS.md says what each cause means",
          ),
        ]
      : []),
    ...(ending.length > 0
      ? [
          warn(
            `certificates end soon: ${named(ending, ({ certificate_days: days }) => `${days} days left`)}`,
            "renew them; from their end on requests are answered with 502",
          ),
        ]
      : []),
  ]
}
