import { type Effect, Schema } from "effect"
import { Session } from "../../domain/Session.js"
import type { ActivityKind } from "../../sessions/SessionActivity.js"
import { ExplainView } from "../api/ExplainView.js"
import { LiveKind, LiveView } from "../api/LiveView.js"
import { ErrorView, ProcessNumbersView } from "../api/ProxyViews.js"
import { HealthView } from "../api/SessionViews.js"
import { many, one } from "./Row.js"
import { CellNumbers, OrNothing, SnapshotOfProcess } from "./WireNumbers.js"

// What is asked of a process of the proxy, and what it answers: plain data, which may go to another process and come from it.

const Nothing = Schema.Struct({})
const Ids = Schema.Struct({ ids: Schema.Array(Schema.String) })
const Numbers = Schema.Array(Schema.Number)

/** What is said of a session, with its id. */
const ofSession = <A, I>(schema: Schema.Schema<A, I>) => Schema.Tuple(Schema.String, schema)

/** How much is under way. */
export const TrafficCounts = Schema.Struct({
  requests: Schema.Number,
  streams: Schema.Number,
  websockets: Schema.Number,
})
export type TrafficCounts = typeof TrafficCounts.Type

/** What a process does, and whether it can be sent requests. */
export const Readiness = Schema.Struct({ draining: Schema.Boolean, readable: Schema.Boolean })

/** What is counted, and how much is under way, at one moment. */
export const Look = Schema.Struct({
  /** Of the catalogue that the cells belong to. */
  layout: Schema.String,
  /** The counted cells, with the bytes of what is under way: an array that its process writes again at the next look. */
  counted: CellNumbers,
  /** Requests whose answers are on their way. */
  streams: Schema.Number,
  /** Part of the time since the last look in which the event loop was at work: 0 to 1. */
  loop: Schema.Number,
})
export type Look = typeof Look.Type

/** The numbers of one session in the metrics; `session` is empty for all that have none of their own. */
export const SeriesNumbers = Schema.Struct({
  session: Schema.String,
  /** By the class of the answer. */
  requests: Numbers,
  bytesIn: Schema.Number,
  bytesOut: Schema.Number,
  firstBytes: Schema.Number,
  /** In milliseconds. */
  firstByteTime: Schema.Number,
  webSockets: Schema.Number,
})

/** What of all that is under way is asked for. Times in milliseconds. */
export const LiveQuestion = Schema.Struct({
  session: OrNothing(Schema.String),
  kind: OrNothing(LiveKind),
  client: OrNothing(Schema.String),
  olderThan: OrNothing(Schema.Number),
  silentFor: OrNothing(Schema.Number),
  /** Those that have been there longest come first, or those of the most bytes. */
  sort: Schema.Literal("age", "bytes"),
  limit: Schema.Number,
  /** Of each process: those with this serial number and before are left out. */
  after: Schema.Array(Schema.Tuple(Schema.String, Schema.Number)),
})
export type LiveQuestion = typeof LiveQuestion.Type

/** How something that is under way is ended (RFC 6455 section 7.4). */
const EndQuestion = Schema.Struct({
  id: Schema.String,
  close: Schema.Struct({ code: Schema.Number, reason: Schema.String }),
})

/** By what sessions are sorted of which something is known in memory. */
export const NumberSort = Schema.Literal("activity", "requests", "bytes", "errors", "live")

/** Sessions with a number above 0. */
const NumbersQuestion = Schema.Struct({
  sort: NumberSort,
  prefix: Schema.String,
  /** A part of the id. */
  part: OrNothing(Schema.String),
  /** How many at most: those of the largest numbers. */
  most: Schema.Number,
})
export type NumbersQuestion = typeof NumbersQuestion.Type

const Kind: Schema.Schema<ActivityKind> = Schema.Literal("request", "websocket", "touch")

const activityTimes = {
  lastRequestAt: Schema.Number,
  lastClientAt: Schema.Number,
  lastServerAt: Schema.Number,
  lastKind: OrNothing(Kind),
}
const activityCounts = {
  requests: Schema.Number,
  errors: Schema.Number,
  bytesIn: Schema.Number,
  bytesOut: Schema.Number,
}

/** What a process has seen of a session; null of what it knows nothing. */
export const SeenSession = Schema.Struct({
  activity: Schema.NullOr(Schema.Struct({ ...activityCounts, ...activityTimes })),
  health: Schema.NullOr(HealthView),
})
export type SeenSession = typeof SeenSession.Type

/** A row of a session as its process has read it, secrets and all: it is shown without them. */
const KnownSession = Schema.Struct(Session.fields)

/** What the last second brought of a session that somebody looks at. */
export const WatchedNumbers = Schema.Struct({
  /** At the end of that second. */
  live: TrafficCounts,
  /** For each second; null until it was watched for one. */
  rates: Schema.NullOr(
    Schema.Struct({
      requests: Schema.Number,
      errors: Schema.Number,
      bytesIn: Schema.Number,
      bytesOut: Schema.Number,
      /** How many requests took how long, by the buckets of their metric; empty where none was over. */
      latencies: Numbers,
    }),
  ),
  /** The code of its last failure that is remembered, and when that was. */
  lastError: Schema.NullOr(Schema.Struct({ code: Schema.String, time: Schema.Number })),
})
export type WatchedNumbers = typeof WatchedNumbers.Type

/** What `Activity` reports. */
export const Report = Schema.Struct({
  ...activityCounts,
  ...activityTimes,
  sessionId: Schema.String,
  lastClient: OrNothing(Schema.String),
  open: Schema.Array(
    Schema.Struct({
      kind: Kind,
      id: Schema.String,
      requestId: Schema.String,
      client: Schema.String,
      since: Schema.Number,
      silence: Schema.Number,
      bytesIn: Schema.Number,
      bytesOut: Schema.Number,
      pings: Schema.Number,
      isIgnored: Schema.Boolean,
    }),
  ),
  uncounted: Schema.Struct({ pings: Schema.Number, ignoredRequests: Schema.Number }),
  idleSince: OrNothing(Schema.Number),
  idleSeconds: OrNothing(Schema.Number),
  problem: OrNothing(Schema.String),
})

/** Why a process has no answer. */
export const Trouble = Schema.Union(
  Schema.TaggedStruct("SessionNotFound", { sessionId: Schema.String }),
  Schema.TaggedStruct("StoreUnavailable", { problem: Schema.String, hint: Schema.String }),
)
export type Trouble = typeof Trouble.Type

const orTrouble = <A, I>(schema: Schema.Schema<A, I>) => Schema.Either({ left: Trouble, right: schema })

const ErrorsQuestion = Schema.Struct({
  limit: Schema.Number,
  session: OrNothing(Schema.String),
  requestId: OrNothing(Schema.String),
})

/** A request that nobody has sent. */
export const ExplainQuestion = Schema.Struct({
  method: Schema.String,
  /** Its `Host`; `undefined` for one that names no session. */
  host: OrNothing(Schema.String),
  /** The request target, raw, as latin1. */
  target: Schema.String,
  /** A WebSocket handshake. */
  upgrades: Schema.Boolean,
})

/** Records that are asked for by a reader, which has a name of its own. */
const TailQuestion = Schema.Struct({
  reader: Schema.String,
  session: OrNothing(Schema.String),
  onlyFailed: Schema.Boolean,
})

/** Every question, and its answer. */
export const questions = {
  /** What it is, and how much it does. */
  process: one("process", Nothing, ProcessNumbersView),
  ready: one("ready", Nothing, Readiness),
  /** Also takes the rates of watched sessions. To be asked once a second. */
  look: one("look", Nothing, Look),
  snapshot: one("snapshot", Nothing, SnapshotOfProcess),
  /** Of sessions that have metrics of their own. */
  series: many("series", Nothing, SeriesNumbers),
  live: many("live", LiveQuestion, LiveView),
  /** null: nothing of this id is under way here. */
  find: one("find", Schema.Struct({ id: Schema.String }), Schema.NullOr(LiveView)),
  /** Ends it (`LiveTraffic.closeNow`). Gives the id of its session. */
  end: one("end", EndQuestion, Schema.NullOr(Schema.String)),
  /** How much is under way of sessions: of those of which anything is. */
  counts: many("counts", Ids, ofSession(TrafficCounts)),
  numbers: many("numbers", NumbersQuestion, ofSession(Schema.Number)),
  /** How many sessions are known in memory. */
  known: one("known", Nothing, Schema.Number),
  /** How many of these drain. Looks at each. */
  draining: one("draining", Nothing, Schema.Number),
  /** The rows of those of these sessions that are served by them while the store is away. */
  rows: many("rows", Ids, KnownSession),
  seen: many("seen", Ids, ofSession(SeenSession)),
  /** Watches these sessions for the next ten seconds. */
  watched: many("watched", Ids, ofSession(WatchedNumbers)),
  activity: one("activity", Schema.Struct({ id: Schema.String }), orTrouble(Report)),
  touch: one("touch", Schema.Struct({ id: Schema.String }), orTrouble(Schema.Null)),
  /** The latest failures that were not a client's fault, newest first. */
  errors: many("errors", ErrorsQuestion, ErrorView),
  explain: one("explain", ExplainQuestion, orTrouble(ExplainView)),
  /** Waits a while for records, which come as events, one text; empty where none came. */
  tail: one("tail", TailQuestion, Schema.String),
  /** A reader has left. */
  leave: one("leave", TailQuestion, Schema.Null),
} as const

type Questions = typeof questions

export type QuestionName = keyof Questions
export type QuestionOf<Name extends QuestionName> = Schema.Schema.Type<Questions[Name]["question"]>
export type AnswerOf<Name extends QuestionName> = Parameters<Questions[Name]["write"]>[0]

/** A process that can be asked: each question is a call. `E`: why there may be no answer. */
export type Answers<E = never> = {
  readonly [Name in QuestionName]: (question: QuestionOf<Name>) => Effect.Effect<AnswerOf<Name>, E>
}
