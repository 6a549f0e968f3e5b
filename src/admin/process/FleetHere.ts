import { Effect, Layer, type Scope } from "effect"
import { ProxyConfig } from "../../domain/ProxyConfig.js"
import { SessionDirectory } from "../../sessions/SessionDirectory.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { ErrorRing } from "../../telemetry/ErrorRing.js"
import { Taps } from "../../telemetry/RecordTaps.js"
import { Telemetry } from "../../telemetry/Telemetry.js"
import { Activity } from "../../traffic/Activity.js"
import type { Slots } from "../../traffic/Slots.js"
import { Traffic } from "../../traffic/Traffic.js"
import { Fleet } from "../fleet/Fleet.js"
import type { Answers } from "../fleet/Questions.js"
import { errorView } from "../fleet/Shapes.js"
import { countOf, liveAnswers } from "./LiveAnswers.js"
import { Looks } from "./Looks.js"
import { makeProcessAnswers } from "./ProcessAnswers.js"
import { makeSeriesAnswers } from "./SeriesAnswers.js"
import { orTrouble, sessionAnswers } from "./SessionAnswers.js"
import { Tail } from "./Tail.js"
import { makeTailAnswers } from "./TailAnswers.js"
import { WatchedSessions } from "./WatchedSessions.js"

/** What a process has to be asked about. */
export type ProcessParts = ProxyConfig | SessionRepo | SessionDirectory | Traffic | Slots | Activity | ErrorRing

type ExplainAnswer = Effect.Effect<Answers["explain"]>

/** Loaded, and made, when somebody asks first. */
const makeExplain: Effect.Effect<Answers["explain"], never, ProcessParts | Scope.Scope> = Effect.gen(function* () {
  const context = yield* Effect.context<ProcessParts | Scope.Scope>()
  const made: ExplainAnswer = yield* Effect.cached(
    Effect.flatMap(
      Effect.promise(() => import("./Explain.js")),
      ({ Explain }) =>
        Effect.map(Layer.build(Explain.layer), (built): Answers["explain"] => {
          const explain = Effect.provide(
            Effect.map(Explain, (service) => service.explain),
            built,
          )
          return (query) => orTrouble(Effect.flatMap(explain, (told) => told(query)))
        }),
    ).pipe(Effect.provide(context)),
  )
  return (query) => Effect.flatMap(made, (explain) => explain(query))
})

/** What this process answers, for as long as the scope lasts; and the tail of it, for who reads that here. */
export const makeAnswers: Effect.Effect<
  { readonly answers: Answers; readonly tail: Tail },
  never,
  ProcessParts | Scope.Scope
> = Effect.gen(function* () {
  const { logQuery, metricsSessions } = yield* ProxyConfig
  const activity = yield* Activity
  const counters = yield* Telemetry
  const directory = yield* SessionDirectory
  const ring = yield* ErrorRing
  const taps = yield* Taps
  const traffic = yield* Traffic
  const looks = new Looks(counters, traffic.things)
  const watched = new WatchedSessions(directory, ring, taps, looks)
  const tail = new Tail(taps, logQuery)
  const things = Effect.sync(() => traffic.things())
  const live = Effect.flatMap(things, countOf)
  // A worker whose work others do is closing, while the proxy does not drain.
  const isDraining = (): boolean => traffic.isDraining() || traffic.isClosing()
  const answers: Answers = {
    ...makeProcessAnswers(counters, { isDraining, live }),
    ...liveAnswers({ counters, query: logQuery, traffic }),
    ...sessionAnswers({ activity, directory, traffic, watched }),
    ...(yield* makeSeriesAnswers(metricsSessions)),
    ...(yield* makeTailAnswers(tail)),
    explain: yield* makeExplain,
    ready: () => Effect.sync(() => ({ draining: isDraining(), readable: directory.numbers().isReadable })),
    look: () => looks.look,
    errors: ({ limit, requestId, session }) =>
      Effect.sync(() =>
        ring
          .find({ limit, ...(session !== undefined && { session }), ...(requestId !== undefined && { requestId }) })
          .map(errorView),
      ),
  }
  return { answers, tail }
})

/** The one process that this is. */
export const layerFleetHere: Layer.Layer<Fleet, never, ProcessParts> = Layer.scoped(
  Fleet,
  Effect.map(makeAnswers, ({ answers, tail }) => ({
    ask: (question) =>
      Effect.map(Effect.orDie(question(answers)), (answer) => ({ found: [{ from: undefined, answer }], missing: [] })),
    follow: (query) => tail.read(query),
    memory: {
      counted: ([one]) => one?.answer ?? new Float64Array(0),
      series: ([one]) => Effect.succeed(one?.answer ?? []),
    },
    supervisor: undefined,
  })),
)
