import { Cause, Effect, Either, Exit, Scope } from "effect"
import { Channel, wireTo } from "../../workers/Channel.js"
import { pleaseReplace } from "../../workers/Messages.js"
import { takeRole, tellFailure } from "../../workers/Role.js"
import { AsWorker } from "./AsWorker.js"
import { readCommandLine } from "../CommandLine.js"
import { explainCause, type Failure } from "../Report.js"
import { docs } from "../ProgramDoc.js"
import { endProcess, invoke, isDetailed, survivesReaders } from "../SsProxy.js"
import { styleOf } from "../Style.js"
import type { WorkerSignals } from "./WorkerSignals.js"

/** Runs the command line that the supervisor gives, and ends the process. With what it fails, the supervisor says. */
export const runWorker = async (signals: WorkerSignals): Promise<void> => {
  survivesReaders(true, { style: styleOf(process.stderr), detailed: false, asJson: false })
  const scope = await Effect.runPromise(Scope.make())
  const channel = await Effect.runPromise(Scope.extend(Channel.make(wireTo(process)), scope))
  signals.handTo(() => channel.tell(pleaseReplace, {}))

  let detailed = false
  const explain = (cause: Cause.Cause<Failure>): number => {
    const { exitCode, problem } = explainCause(cause, detailed)
    if (channel.isOpen) tellFailure(channel, problem, exitCode)
    else process.stderr.write(`ss-proxy: ${problem}\n`)
    return exitCode
  }
  const die = (defect: unknown): void => process.exit(explain(Cause.die(defect)))
  process.on("uncaughtException", die)
  process.on("unhandledRejection", die)

  const program = Effect.gen(function* () {
    const role = yield* takeRole(channel)
    const invocation = readCommandLine(docs, role.task.words)
    detailed = isDetailed(Either.getOrUndefined(invocation))
    yield* Effect.provideService(Effect.flatMap(invocation, invoke), AsWorker, role)
  })
  const exit = await Effect.runPromiseExit(program)
  if (Exit.isSuccess(exit)) return endProcess(0, true)
  endProcess(explain(exit.cause), true)
}
