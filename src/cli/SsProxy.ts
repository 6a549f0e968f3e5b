import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Cause, Console, Effect, Exit, Layer } from "effect"
import { renderCompletions } from "./Completions.js"
import type { CommandDoc } from "./CommandDoc.js"
import { type Invocation, readCommandLine } from "./CommandLine.js"
import { renderHelp } from "./Help.js"
import { IgnoredSignals } from "./IgnoredSignals.js"
import { closeLostTerminal } from "./LostTerminal.js"
import { printResult } from "./Output.js"
import { type Failure, reportCause, reportDefect } from "./Report.js"
import { run, runDoc, runFlags, runGroups, runProxy } from "./Run.js"
import { sessions, sessionsDocs } from "./Sessions.js"
import { SignalCatcher } from "./SignalCatcher.js"
import { styleOf } from "./Style.js"
import { version } from "./Version.js"

const programDoc: CommandDoc = {
  path: [],
  summary: "A session-routing reverse proxy.",
  about:
    "A reverse proxy that routes by session: a request for /ID/PATH goes to PATH on the server that the session ID " +
    "names, a WebSocket for /ws/ID too. Without a command it runs the proxy.",
  args: [],
  groups: runGroups,
  runsOn: true,
  examples: [
    ["ss-proxy sessions add my-session http://localhost:9000", "names the server of a session"],
    ["ss-proxy run", "runs the proxy; http://localhost:8080/my-session/… now goes to port 9000"],
    ["ss-proxy run --demo", "tries it without a server of your own"],
    ["ss-proxy sessions --help", "more on sessions"],
  ],
}

const docs: ReadonlyArray<CommandDoc> = [programDoc, runDoc, ...sessionsDocs]

const program = Command.make("ss-proxy", runFlags, runProxy).pipe(
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
    case "Command":
      return runCommand(["node", "ss-proxy", ...invocation.words]).pipe(withoutOwnErrors, Effect.provide(environment))
  }
}

/** Whether the log is so detailed that the causes of defects are wanted. */
const isDetailed = (words: ReadonlyArray<string>): boolean =>
  /(^|\s)(-l|--log-level)[ =]?(trace|debug)(\s|$)/i.test(words.join(" ")) ||
  /^(trace|debug)$/i.test(process.env["SS_PROXY_LOG_LEVEL"] ?? "")

/** The reader of our output may leave early, as `head` does; what cannot be written for another reason is a failure. */
const outputFailed = (error: NodeJS.ErrnoException): void => {
  if (error.code === "EPIPE") process.exit(0)
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
  const detailed = isDetailed(words)
  process.stdout.on("error", outputFailed)
  // A log that nobody reads any more is no reason to stop.
  process.stderr.on("error", () => {})
  const die = (defect: unknown): void => {
    process.stderr.write(`${reportDefect(Cause.die(defect), style, detailed).text}\n`)
    process.exit(1)
  }
  process.on("uncaughtException", die)
  process.on("unhandledRejection", die)

  const exit = await Effect.runPromiseExit(Effect.flatMap(readCommandLine(docs, words), invoke))
  if (Exit.isSuccess(exit)) return endProcess(0)
  const report = reportCause(exit.cause, style, detailed)
  process.stderr.write(`${report.text}\n`)
  endProcess(report.exitCode)
}
