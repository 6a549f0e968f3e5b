import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Cause, Console, Effect, Either, Exit, Layer } from "effect"
import { renderCompletions } from "./Completions.js"
import { type Invocation, readCommandLine } from "./CommandLine.js"
import { renderHelp } from "./Help.js"
import { IgnoredSignals } from "./IgnoredSignals.js"
import { closeLostTerminal } from "./LostTerminal.js"
import { printResult } from "./Output.js"
import { type Failure, reportCause, reportDefect } from "./Report.js"
import { docs, programDoc } from "./ProgramDoc.js"
import { run } from "./Run.js"
import { sessions } from "./Sessions.js"
import { SignalCatcher } from "./SignalCatcher.js"
import { styleOf } from "./Style.js"
import { version } from "./Version.js"

const program = Command.make("ss-proxy").pipe(
  Command.withDescription(programDoc.about),
  Command.withSubcommands([run, sessions]),
)

/** What @effect/cli asks for. No flag of ours looks at files, and ours are told apart by case: `-h` and `-H`. */
const environment = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  NodeTerminal.layer,
  CliConfig.layer({ isCaseSensitive: true }),
)

/** @effect/cli prints what is wrong before it fails with it; `Report.ts` tells it once. */
const withoutOwnErrors = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => Effect.withConsole(effect, { ...console, error: () => Effect.void }))

const runCommand = Command.run(program, { name: "ss-proxy", version, executable: "ss-proxy" })

const runsOn = (invocation: Invocation): boolean => invocation._tag === "Command" && invocation.doc.runsOn === true

const invoke = (invocation: Invocation): Effect.Effect<void, Failure> => {
  // A signal ends a command that is soon over, the way it ends every program.
  if (!runsOn(invocation)) {
    SignalCatcher.current?.letThrough()
    IgnoredSignals.stop()
  }
  switch (invocation._tag) {
    case "Version":
      return printResult(`ss-proxy ${version}`)
    case "Help":
      return printResult(renderHelp(invocation.doc, docs, styleOf(process.stdout)))
    case "Completions":
      return printResult(renderCompletions(invocation.shell, docs))
    case "Command": {
      // The program by itself runs the proxy. Its flags are those of `run` alone, so that their variables are nothing to
      // the other commands: @effect/cli reads the options of a command for those under it, too.
      const words = invocation.doc.path.length === 0 ? ["run", ...invocation.words] : invocation.words
      return runCommand(["node", "ss-proxy", ...words]).pipe(withoutOwnErrors, Effect.provide(environment))
    }
  }
}

/** Whether the log is so detailed that the causes of defects are wanted. */
const isDetailed = (invocation: Invocation | undefined): boolean => {
  const words = invocation?._tag === "Command" ? invocation.words : []
  const flag = words.indexOf("-l")
  const level = flag < 0 ? process.env["SS_PROXY_LOG_LEVEL"] : words[flag + 1]
  return /^(trace|debug)$/i.test(level ?? "")
}

const isUnread = ({ code }: NodeJS.ErrnoException): boolean => code === "EPIPE"

/** The reader of our output may leave early, as `head` does; what cannot be written for another reason is a failure. */
const outputFailed = (error: NodeJS.ErrnoException): void => {
  if (isUnread(error)) process.exit(0)
  process.stderr.write(
    `ss-proxy: standard output cannot be written (${error.code ?? error.message}); make room for it\n`,
  )
  process.exit(1)
}

/** How long the end waits for the reader of the log, in milliseconds. One that is stopped must not keep the process. */
const longestLogFlush = 1_000

const endProcess = (exitCode: number): void => {
  // Whatever was written to a pipe goes out first; of the log, what its reader takes in time.
  const exit = (): void => {
    closeLostTerminal()
    process.exit(exitCode)
  }
  process.stdout.write("", () => {
    setTimeout(exit, longestLogFlush)
    process.stderr.write("", exit)
  })
}

/** Runs the command line to its end, and ends the process with the exit code that belongs to it. */
export const runSsProxy = async (words: ReadonlyArray<string>): Promise<void> => {
  const style = styleOf(process.stderr)
  const invocation = readCommandLine(docs, words)
  const detailed = isDetailed(Either.getOrUndefined(invocation))
  // Who reads what a proxy prints may leave: that is no reason to stop, either.
  const isService = Either.match(invocation, { onLeft: () => false, onRight: runsOn })
  process.stdout.on("error", (error) => (isService && isUnread(error) ? undefined : outputFailed(error)))
  // A log that nobody reads any more is no reason to stop.
  process.stderr.on("error", () => {})
  const die = (defect: unknown): void => {
    process.stderr.write(`${reportDefect(Cause.die(defect), style, detailed).text}\n`)
    process.exit(1)
  }
  process.on("uncaughtException", die)
  process.on("unhandledRejection", die)

  const exit = await Effect.runPromiseExit(Effect.flatMap(invocation, invoke))
  if (Exit.isSuccess(exit)) return endProcess(0)
  const report = reportCause(exit.cause, style, detailed)
  process.stderr.write(`${report.text}\n`)
  endProcess(report.exitCode)
}
