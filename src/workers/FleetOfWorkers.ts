import { Effect, Layer, type Scope } from "effect"
import { Fleet, ProcessSilent, type FleetService } from "../admin/fleet/Fleet.js"
import { type Answers, questions } from "../admin/fleet/Questions.js"
import type { Row } from "../admin/fleet/Row.js"
import { makeProcessAnswers } from "../admin/process/ProcessAnswers.js"
import { goneOf } from "../admin/process/SeriesAnswers.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { SessionRepo } from "../sessions/SessionRepo.js"
import { layout } from "../telemetry/Snapshot.js"
import { Telemetry } from "../telemetry/Telemetry.js"
import { FleetMemory } from "./FleetMemory.js"
import { lastCounted, onWire } from "./FleetQuestions.js"
import { followWorkers } from "./FleetTail.js"
import { type WorkerLink, Workers } from "./Workers.js"

/**
 * A worker as the admin listener asks it. Whoever may not be interrupted still waits no longer than an answer may take. Records
 * that are over are handed out once: however late they come, they are awaited.
 */
const asked = (worker: WorkerLink): Answers<ProcessSilent> => {
  const ask =
    <Q, I, A>(row: Row<Q, I, A>, by: WorkerLink["ask"] = worker.ask) =>
    (question: Q): Effect.Effect<A, ProcessSilent> =>
      by(onWire(row), question).pipe(
        Effect.interruptible,
        Effect.flatMap(row.read),
        Effect.mapError(() => new ProcessSilent()),
      )
  return {
    process: ask(questions.process),
    ready: ask(questions.ready),
    look: ask(questions.look),
    snapshot: ask(questions.snapshot),
    series: ask(questions.series),
    live: ask(questions.live),
    find: ask(questions.find),
    end: ask(questions.end),
    counts: ask(questions.counts),
    numbers: ask(questions.numbers),
    known: ask(questions.known),
    draining: ask(questions.draining),
    rows: ask(questions.rows),
    seen: ask(questions.seen),
    watched: ask(questions.watched),
    activity: ask(questions.activity),
    touch: ask(questions.touch),
    errors: ask(questions.errors),
    explain: ask(questions.explain),
    tail: ask(questions.tail, worker.askPatiently),
    leave: ask(questions.leave),
  }
}

/** Asks all workers at once: those that there are when it runs. */
const askAll =
  ({ all }: typeof Workers.Service): FleetService["ask"] =>
  (question) => {
    const answerOf = (worker: WorkerLink) =>
      Effect.mapBoth(question(asked(worker)), {
        onFailure: () => worker.name,
        onSuccess: (answer) => ({ from: { name: worker.name, generation: worker.generation }, answer }),
      })
    return Effect.map(
      Effect.suspend(() => Effect.partition(all(), answerOf, { concurrency: "unbounded" })),
      ([missing, found]) => ({ found, missing }),
    )
  }

/** Remembers what workers have counted, for as long as the scope lasts. */
const rememberWorkers = (
  { all, watch }: typeof Workers.Service,
  memory: FleetMemory,
): Effect.Effect<void, never, Scope.Scope> => {
  const came = (worker: WorkerLink): void => {
    memory.came(worker.name)
    worker.hear(lastCounted, (told) => {
      if (told.layout === layout) memory.told(worker.name, told.counted, told.series)
    })
  }
  return Effect.acquireRelease(
    Effect.sync(() => {
      const leave = watch({ came, gone: ({ name }) => memory.gone(name) })
      for (const worker of all()) came(worker)
      return leave
    }),
    (leave) => Effect.sync(leave),
  )
}

/** The workers of this supervisor. Who does not answer within a second is missing. */
export const layerFleetOfWorkers: Layer.Layer<Fleet, never, Workers | ProxyConfig | SessionRepo> = Layer.scoped(
  Fleet,
  Effect.gen(function* () {
    const workers = yield* Workers
    const repo = yield* SessionRepo
    const counters = yield* Telemetry
    const { metricsSessions } = yield* ProxyConfig
    const memory = new FleetMemory(metricsSessions, (ids) => goneOf(repo, ids))
    yield* rememberWorkers(workers, memory)
    const nothing = { requests: 0, streams: 0, websockets: 0 }
    return {
      ask: askAll(workers),
      follow: followWorkers(workers, asked),
      memory,
      supervisor: makeProcessAnswers(counters, { isDraining: () => false, live: Effect.succeed(nothing) }),
    }
  }),
)
