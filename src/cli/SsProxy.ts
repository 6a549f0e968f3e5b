import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Cause, Console, Effect, Either, Exit, Layer, Option } from "effect"
import { dashboard } from "./admin/Dashboard.js"
import { errors } from "./admin/Errors.js"
import { explain } from "./admin/Explain.js"
import { reload } from "./admin/Reload.js"
import { tail } from "./admin/Tail.js"
import { check } from "./check/Check.js"
import { renderCompletions } from "./Completions.js"
import { type Invocation, readCommandLine } from "./CommandLine.js"
import { CommandFailed } from "./Failure.js"
import { helpWidth, renderHelp } from "./Help.js"
import { health } from "./Health.js"
import { IgnoredSignals } from "./IgnoredSignals.js"
import { closeLostTerminal } from "./LostTerminal.js"
import { printResult } from "./Output.js"
import { type Failure, reportCause, reportDefect, type Telling } from "./Report.js"
import { docs, programDoc } from "./ProgramDoc.js"
import { run } from "./run/Run.js"
import { sessions } from "./Sessions.js"
import { SignalCatcher } from "./SignalCatcher.js"
import { styleOf } from "./Style.js"
import { top } from "./top/Top.js"
import { onOrOff } from "../domain/Reading.js"
import { version } from "../domain/Version.js"

const program = Command.make("ss-proxy").pipe(
  Command.withDescription(programDoc.about),
  Command.withSubcommands([run, health, sessions, top, tail, errors, explain, check, dashboard, reload]),
)

/**
 * The services that @effect/cli needs. No flag of ours reads files through it. Short flags are case-sensitive: `-h`,
 * `-H`.
 */
const environment = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  NodeTerminal.layer,
  CliConfig.layer({ isCaseSensitive: true }),
)

/** Silences the errors that @effect/cli prints before it fails with them, because `Report.ts` prints them, too. */
const withoutOwnErrors = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) => Effect.withConsole(effect, { ...console, error: () => Effect.void }))

const runCommand = Command.run(program, { name: "ss-proxy", version, executable: "ss-proxy" })

const runsOn = (invocation: Invocation): boolean => invocation._tag === "Command" && invocation.doc.runsOn === true

/** Does what the command line asks for. */
export const invoke = (invocation: Invocation): Effect.Effect<void, Failure> => {
  // A short command does not catch signals: they end it by their default action.
  if (!runsOn(invocation)) {
    SignalCatcher.current?.letThrough()
    IgnoredSignals.stop()
  }
  switch (invocation._tag) {
    case "Version":
      return printResult(`ss-proxy ${version}`)
    case "Help":
      return printResult(renderHelp(invocation.doc, docs, styleOf(process.stdout), helpWidth(process.stdout)))
    case "Completions":
      return printResult(renderCompletions(invocation.shell, docs))
    case "Command": {
      // Without a command the program runs the proxy. Only `run` has the flags of the proxy: if the program had them,
      // @effect/cli would read them and their variables for every other command, too.
      const words = invocation.doc.path.length === 0 ? ["run", ...invocation.words] : invocation.words
      return runCommand(["node", "ss-proxy", ...words]).pipe(withoutOwnErrors, Effect.provide(environment))
    }
  }
}

/** Whether the log level asks for the causes of defects. */
export const isDetailed = (invocation: Invocation | undefined): boolean => {
  const words = invocation?._tag === "Command" ? invocation.words : []
  const flag = words.indexOf("-l")
  const level = flag < 0 ? process.env["SS_PROXY_LOG_LEVEL"] : words[flag + 1]
  return /^(trace|debug)$/i.test(level ?? "")
}

const isUnread = ({ code }: NodeJS.ErrnoException): boolean => code === "EPIPE"

/** A reader such as `head` may close our output early, which is no failure. Any other error is. */
const outputFailed = (error: NodeJS.ErrnoException, telling: Telling): void => {
  if (isUnread(error)) process.exit(0)
  const failed = new CommandFailed({
    code: "output_failed",
    problem: `standard output cannot be written (${error.code ?? error.message})`,
    hint: "make room for it",
  })
  process.stderr.write(`${reportCause(Cause.fail(failed), telling).text}\n`)
  process.exit(1)
}

/** Whether a program reads: it gets errors as JSON, too, whatever else is wrong with the words. */
const asksForJson = (words: ReadonlyArray<string>): boolean => {
  const end = words.indexOf("--")
  const last = words.slice(0, end < 0 ? undefined : end).findLast((word) => /^--json(?:=|$)/.test(word))
  return last !== undefined && Option.getOrElse(onOrOff.read(last.split("=")[1] ?? "true"), () => false)
}

/**
 * Time limit for flushing at the end, in milliseconds: a reader that does not read must not keep the process alive. It is for
 * the log; for standard output only where a service ends, whose access log may go there.
 */
const longestFlush = 1_000

/** Ends the process, behind what it has written. `isService`: it is not to wait for a reader of standard output. */
export const endProcess = (exitCode: number, isService: boolean): void => {
  const exit = (): void => {
    closeLostTerminal()
    process.exit(exitCode)
  }
  if (isService) setTimeout(exit, longestFlush)
  process.stdout.write("", () => {
    setTimeout(exit, longestFlush)
    process.stderr.write("", exit)
  })
}

/** A service goes on if the readers of its standard output and of its log close; anything else ends at the first. */
export const survivesReaders = (isService: boolean, telling: Telling): void => {
  process.stdout.on("error", (error) => (isService && isUnread(error) ? undefined : outputFailed(error, telling)))
  process.stderr.on("error", () => {})
}

/** Runs the command line, and ends the process with its exit code. */
export const runSsProxy = async (words: ReadonlyArray<string>): Promise<void> => {
  const invocation = readCommandLine(docs, words)
  const telling: Telling = {
    style: styleOf(process.stderr),
    detailed: isDetailed(Either.getOrUndefined(invocation)),
    asJson: asksForJson(words),
  }
  const isService = Either.match(invocation, { onLeft: () => false, onRight: runsOn })
  survivesReaders(isService, telling)
  const die = (defect: unknown): void => {
    process.stderr.write(`${reportDefect(Cause.die(defect), telling).text}\n`)
    process.exit(1)
  }
  process.on("uncaughtException", die)
  process.on("unhandledRejection", die)

  const exit = await Effect.runPromiseExit(Effect.flatMap(invocation, invoke))
  if (Exit.isSuccess(exit)) return endProcess(0, isService)
  const report = reportCause(exit.cause, telling)
  process.stderr.write(`${report.text}\n`)
  endProcess(report.exitCode, isService)
}
