import { createHash, createHmac, randomBytes } from "node:crypto"
import type { Session } from "../../domain/Session.js"
import { addressOf } from "../../downstream/Dial.js"
import type { ServerHealth } from "../../sessions/ServerHealth.js"
import { type ActivityTimes, idleSince, idleTime, type SessionActivity } from "../../sessions/SessionActivity.js"
import { drainingUntil, forwards, hasSecrets, policyFields, wholePolicyFields } from "../../sessions/SessionShape.js"
import { statusClasses } from "../../telemetry/Causes.js"
import type { Sample } from "../../telemetry/History.js"
import { type QueryRule, shownTarget } from "../../telemetry/Redaction.js"
import type { RememberedFailure } from "../../telemetry/ErrorRing.js"
import type { ActivityReport } from "../../traffic/Activity.js"
import type { OpenTraffic } from "../../traffic/ActivityRound.js"
import type { LiveTraffic } from "../../traffic/Traffic.js"
import { redactUrl } from "../../wire/DownstreamUrl.js"
import type { LiveView } from "../api/LiveView.js"
import type { ErrorView } from "../api/ProxyViews.js"
import type { SampleView } from "../api/StatsGroup.js"
import type {
  ActivityTimesView,
  ActivityView,
  HealthView,
  LiveCounts,
  OpenView,
  SessionView,
} from "../api/SessionViews.js"

/** RFC 3339 in UTC, of milliseconds since the epoch. */
export const timestamp = (time: number): string => new Date(time).toISOString()

const timeOrNull = (time: number): string | null => (time === 0 ? null : timestamp(time))

/** A time as SQLite's CURRENT_TIMESTAMP writes it, as RFC 3339 has it; other texts as they are. */
const stampOf = (text: string | null): string | null =>
  text !== null && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? `${text.replace(" ", "T")}Z` : text

export const healthView = ({ checked, failures, lastError, since, state }: ServerHealth): typeof HealthView.Type => ({
  state,
  since: timeOrNull(since),
  failures,
  last_error:
    lastError === undefined
      ? null
      : { code: lastError.code, reason: lastError.reason ?? null, time: timestamp(lastError.time) },
  checked,
})

/** What is shown of a session beside its row. */
export interface SessionExtras {
  readonly health?: typeof HealthView.Type | null
  readonly live?: typeof LiveCounts.Type
  readonly activity?: typeof ActivityTimesView.Type
  readonly as_of?: string
}

export const sessionView = (session: Session, extras: SessionExtras = {}): typeof SessionView.Type => ({
  id: session.id,
  url: redactUrl(session.url),
  status: session.status,
  forwards: forwards(session),
  ...policyFields(session.policy),
  created_at: stampOf(session.createdAt),
  updated_at: stampOf(session.updatedAt),
  draining_until: drainingUntil(session) ?? null,
  health: null,
  ...extras,
})

/** Makes the entity tags of sessions with secrets. */
const tagKey = randomBytes(32)

/**
 * The entity tag of a session (RFC 9110 section 8.8.3): of its row and its policy, so that every change of them is
 * noticed. A drain or a kill is none: who edits a session need not know of it. Where it has secrets, only this process
 * knows how the tag is made: else, who may see tags could try out short secrets until one fits.
 */
export const etagOf = (session: Session): string => {
  const { createdAt, policy, status, updatedAt, url } = session
  const all = JSON.stringify([url, status, wholePolicyFields(policy), createdAt, updatedAt])
  const hash = hasSecrets(session) ? createHmac("sha256", tagKey) : createHash("sha256")
  return `"${hash.update(all).digest("hex").slice(0, 16)}"`
}

/** The numbers of a session that activity is told by. */
type ActivityCounts = Pick<SessionActivity, "requests" | "errors" | "bytesIn" | "bytesOut">

/** `counts`: of this process. */
export const activityTimesView = (
  { createdAt }: Pick<Session, "createdAt">,
  times: ActivityTimes,
  { bytesIn, bytesOut, errors, requests }: ActivityCounts,
  now: number,
): typeof ActivityTimesView.Type => {
  const since = idleSince(createdAt, times)
  return {
    last_request_at: timeOrNull(times.lastRequestAt),
    last_client_at: timeOrNull(times.lastClientAt),
    last_server_at: timeOrNull(times.lastServerAt),
    last_kind: times.lastKind ?? null,
    idle_seconds: since === undefined ? null : Math.floor(idleTime(since, now) / 1_000),
    requests,
    errors,
    bytes_in: bytesIn,
    bytes_out: bytesOut,
  }
}

const openView = (open: OpenTraffic): typeof OpenView.Type => ({
  id: open.id,
  kind: open.kind,
  request_id: open.requestId,
  client: open.client,
  since: timestamp(open.since),
  silent_ms: open.silence,
  bytes_in: open.bytesIn,
  bytes_out: open.bytesOut,
  pings: open.pings,
  ignored: open.isIgnored,
})

export const activityView = (report: ActivityReport): typeof ActivityView.Type => ({
  session: report.sessionId,
  last_request_at: timeOrNull(report.lastRequestAt),
  last_client_at: timeOrNull(report.lastClientAt),
  last_server_at: timeOrNull(report.lastServerAt),
  last_kind: report.lastKind ?? null,
  idle_seconds: report.idleSeconds ?? null,
  requests: report.requests,
  errors: report.errors,
  bytes_in: report.bytesIn,
  bytes_out: report.bytesOut,
  last_client: report.lastClient ?? null,
  open: report.open.map(openView),
  uncounted: { pings: report.uncounted.pings, ignored_requests: report.uncounted.ignoredRequests },
  problem: report.problem ?? null,
})

/** What is under way, as a person would call it. */
export const kindOf = ({ isStreaming, kind }: LiveTraffic): (typeof LiveView.Type)["kind"] =>
  kind === "websocket" ? "websocket" : isStreaming ? "stream" : "request"

/** How long something that is under way has been there, in milliseconds. */
export const ageOf = ({ begun }: LiveTraffic, now: number): number => Math.max(0, Math.floor(now - begun))

/** How long nothing of it has passed that counts, in milliseconds; to about a second. */
export const silenceOf = (traffic: LiveTraffic, now: number): number =>
  traffic.activeAt === 0 ? ageOf(traffic, now) : Math.max(0, Math.floor(now - traffic.activeAt * 1_000))

/** `id`: of its serial number. `now`: by `performance.now()`. `query`: what is shown of the query of its target. */
export const liveView = (traffic: LiveTraffic, id: string, now: number, query: QueryRule): typeof LiveView.Type => ({
  id,
  session: traffic.session?.id ?? "",
  kind: kindOf(traffic),
  request_id: traffic.requestId,
  client: traffic.clientAddress,
  method: traffic.method,
  target: shownTarget(traffic.target, query),
  status: traffic.status,
  server: traffic.session === undefined ? "" : addressOf(traffic.session.target),
  since: timestamp(traffic.since),
  age_ms: ageOf(traffic, now),
  silent_ms: silenceOf(traffic, now),
  bytes_in: traffic.bytesIn,
  bytes_out: traffic.bytesOut,
  messages_in: traffic.messagesIn,
  messages_out: traffic.messagesOut,
})

export const errorView = (failure: RememberedFailure): typeof ErrorView.Type => ({
  time: timestamp(failure.time),
  session: failure.session ?? null,
  code: failure.code,
  fault: failure.fault,
  reason: failure.reason ?? null,
  status: failure.status,
  request_id: failure.requestId,
  method: failure.method,
  target: failure.target,
  server: failure.server ?? null,
})

/** With three places at most: more would say nothing, and take room. */
export const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

export const roundedOrNull = (value: number): number | null => (Number.isNaN(value) ? null : rounded(value))

export const sampleView = (sample: Sample): typeof SampleView.Type => {
  const answered = (status: (typeof statusClasses)[number]): number =>
    rounded(sample.answers[statusClasses.indexOf(status)] ?? 0)
  return {
    time: timestamp(sample.time),
    requests_per_second: rounded(sample.answers.reduce((sum, rate) => sum + rate, 0)),
    answers_per_second: {
      "1xx": answered("1xx"),
      "2xx": answered("2xx"),
      "3xx": answered("3xx"),
      "4xx": answered("4xx"),
      "5xx": answered("5xx"),
      none: answered("none"),
    },
    errors_per_second: rounded(sample.errors),
    bytes_in_per_second: rounded(sample.bytesIn),
    bytes_out_per_second: rounded(sample.bytesOut),
    messages_in_per_second: rounded(sample.messagesIn),
    messages_out_per_second: rounded(sample.messagesOut),
    p50_ms: roundedOrNull(sample.p50),
    p99_ms: roundedOrNull(sample.p99),
    first_byte_p50_ms: roundedOrNull(sample.firstByteP50),
    first_byte_p99_ms: roundedOrNull(sample.firstByteP99),
    requests: sample.requests,
    streams: sample.streams,
    websockets: sample.websockets,
    connections: sample.connections,
    loop_utilization: rounded(sample.loopUtilization),
  }
}
