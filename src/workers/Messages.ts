import { Schema } from "effect"

/**
 * The number of what supervisor and workers say to each other. A reload starts workers of the code that is on the disk by
 * then, so the two may be of different versions. It grows with every change that the other side would misunderstand.
 */
export const protocol = 1

/** What one side tells the other, which does not answer. */
export interface Notice<A, I> {
  readonly name: string
  readonly body: Schema.Schema<A, I>
}

/** What one side asks the other. */
export interface Question<A, I, B, J> {
  readonly name: string
  readonly question: Schema.Schema<A, I>
  readonly answer: Schema.Schema<B, J>
}

/** A kind of notice: its name, and what it says. */
export const notice = <A, I>(name: string, body: Schema.Schema<A, I>): Notice<A, I> => ({ name, body })

/** A kind of question: its name, what is asked, and what is answered. */
export const question = <A, I, B, J>(
  name: string,
  asked: Schema.Schema<A, I>,
  answer: Schema.Schema<B, J>,
): Question<A, I, B, J> => ({ name, question: asked, answer })

const Address = Schema.Struct({ address: Schema.String, family: Schema.String, port: Schema.Int })

/** Where a worker listens, as the settings name it. */
const Place = Schema.Struct({ host: Schema.String, port: Schema.Int })

const LogLevel = Schema.Literal("trace", "debug", "info", "warn", "error", "off")

/** The descriptor of the socket on which a worker listens: the first one behind those of its own talk with the supervisor. */
export const socketDescriptor = 4

/** What every version understands of `start`. */
export const greeting = notice("start", Schema.Struct({ protocol: Schema.Int, version: Schema.String }))

/** The supervisor to a worker that it has started: what it is to be. */
export const start = notice(
  "start",
  Schema.Struct({
    protocol: Schema.Int,
    version: Schema.String,
    /** The command line of the program, without its name. The variables are inherited. */
    words: Schema.Array(Schema.String),
    /** 1 to `count`; it stands in every line of the log. */
    number: Schema.Int,
    count: Schema.Int,
    generation: Schema.Int,
    /** The name of all of them in `Via` (RFC 9110 section 7.6.3). */
    pseudonym: Schema.String,
    /** Where the supervisor itself listens: a session that leads there would lead to the proxy. */
    ownListeners: Schema.Array(Address),
    /** The level of the log in force, where it is no longer that of the command line. */
    logLevel: Schema.optional(LogLevel),
  }),
)

/**
 * The supervisor to a worker: take nothing new, let what is under way finish within the grace, then end. `othersGoOn`: the proxy
 * does not stop; else it goes away, and says so for the delay of the settings first.
 */
export const retire = notice("retire", Schema.Struct({ othersGoOn: Schema.Boolean }))

/** The supervisor to a worker that retires: cut what is left. */
export const cut = notice("cut", Schema.Struct({}))

/** The supervisor to a worker: what SIGUSR2 and SIGUSR1 ask of one process. */
export const setLogLevel = notice("setLogLevel", Schema.Struct({ level: LogLevel }))
export const reopenLog = notice("reopenLog", Schema.Struct({}))

/** A worker to the supervisor: it accepts connections. `sessions`: how many there are. */
export const ready = notice("ready", Schema.Struct({ version: Schema.String, address: Place, sessions: Schema.Int }))

/** A worker to the supervisor: it cannot begin, or go on, and ends. `problem`: what one process would end with. */
export const failed = notice("failed", Schema.Struct({ problem: Schema.String, exitCode: Schema.Int }))

/**
 * A worker to the supervisor, each second: it is not stuck. `connections`: of clients, now; `loopDelay`: by how many
 * milliseconds this is late.
 */
export const beat = notice("beat", Schema.Struct({ connections: Schema.Int, loopDelay: Schema.Number }))

/** How often. */
export const beatInterval = 1_000

/** A worker to the supervisor: somebody has told it alone to stop; another one is to take its place. */
export const pleaseReplace = notice("pleaseReplace", Schema.Struct({}))

/**
 * A worker to the supervisor: what has come of places that the program has only so many of, in one turn of the event loop. What
 * is given back comes first. A place has the number that its worker wanted it under; one that was not taken may be given back.
 */
export const slotsWanted = notice(
  "slotsWanted",
  Schema.Struct({
    give: Schema.Array(Schema.Int),
    take: Schema.Array(
      Schema.Struct({
        number: Schema.Int,
        kind: Schema.Literal("connections", "webSockets", "requests"),
        /** The client or the session. */
        owner: Schema.String,
        /** It has no limit of its own. */
        isExempt: Schema.Boolean,
      }),
    ),
  }),
)

/** The supervisor to a worker: all places up to this number are taken, but for those that it names. */
export const slotsTaken = notice(
  "slotsTaken",
  Schema.Struct({
    upTo: Schema.Int,
    full: Schema.Array(Schema.Struct({ number: Schema.Int, limit: Schema.Literal("all", "own") })),
  }),
)

/** A worker to the supervisor: how many are taken by all workers. */
export const slotNumbers = question(
  "slotNumbers",
  Schema.Struct({ session: Schema.String }),
  Schema.Struct({
    requestsOfSession: Schema.Int,
    webSocketsOfSession: Schema.Int,
    webSockets: Schema.Int,
  }),
)

/** How messages stand on the channel. What is none of these is nobody's. */
export const Envelope = Schema.Union(
  Schema.Struct({ kind: Schema.Literal("notice"), name: Schema.String, body: Schema.Unknown }),
  Schema.Struct({ kind: Schema.Literal("question"), id: Schema.Int, name: Schema.String, body: Schema.Unknown }),
  Schema.Struct({ kind: Schema.Literal("answer"), id: Schema.Int, body: Schema.Unknown }),
  /** In place of an answer: why there is none. */
  Schema.Struct({ kind: Schema.Literal("refusal"), id: Schema.Int, problem: Schema.String }),
)
export type Envelope = typeof Envelope.Type
