import { type ChildProcess, spawn } from "node:child_process"
import { Deferred, Effect, type Scope } from "effect"
import { version } from "../domain/Version.js"
import { Channel, wireTo } from "./Channel.js"
import * as Messages from "./Messages.js"
import { WorkerFailed } from "./WorkerFailed.js"
import type { WorkerLink } from "./Workers.js"

/** What a worker is started with. */
export interface WorkerPlan {
  /** The file of its program. */
  readonly file: string
  /** The descriptor of its socket, in this process. */
  readonly descriptor: number
  readonly name: string
  readonly task: Omit<typeof Messages.start.body.Type, "protocol" | "version">
}

/** How a worker has ended, and what it knew last. */
export interface Ending {
  /** What it said itself, or what is known of its process; a phrase behind its name. */
  readonly lastWords: string
  readonly exitCode: number
  /** It has said why it cannot begin. */
  readonly couldNotBegin: boolean
  /** Those that it had at its last beat. */
  readonly connections: number
  /** By how many milliseconds that was late. */
  readonly loopDelay: number
}

/** Flags of node for the debugger name a port, which only one process can have. */
const inherited = (): ReadonlyArray<string> => process.execArgv.filter((flag) => !flag.startsWith("--inspect"))

const spawned = ({ descriptor, file }: WorkerPlan): ChildProcess =>
  spawn(process.execPath, [...inherited(), file], { stdio: ["inherit", "inherit", "inherit", "ipc", descriptor] })

const endOf = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `ended with exit code ${code ?? 0}` : `was ended by ${signal}`

/** How a process has ended. */
type Exited = Pick<Ending, "lastWords" | "exitCode">

/** How long what a process has said last may take behind its end, in milliseconds. */
const lastMessageTime = 1_000

/** What `WorkerProcess` awaits of a child. */
interface Milestones {
  readonly ready: Deferred.Deferred<typeof Messages.ready.body.Type, WorkerFailed>
  readonly ended: Deferred.Deferred<Ending>
  readonly replace: Deferred.Deferred<void>
}

/** A worker as the supervisor has it: a process, and the talk with it. It is killed with its scope, if it lives by then. */
export class WorkerProcess implements WorkerLink {
  readonly name: string
  readonly number: number
  readonly generation: number
  readonly pid: number
  readonly ask: WorkerLink["ask"]
  readonly askPatiently: WorkerLink["askPatiently"]
  readonly tell: WorkerLink["tell"]
  readonly hear: WorkerLink["hear"]
  readonly answer: WorkerLink["answer"]
  /** Of its beats. */
  private last: typeof Messages.beat.body.Type | undefined
  private silentRounds = 0
  private said: typeof Messages.failed.body.Type | undefined
  private retiring = false
  private accepting = false

  private constructor(
    plan: WorkerPlan,
    private readonly child: ChildProcess,
    channel: Channel,
    private readonly milestones: Milestones,
  ) {
    this.name = plan.name
    this.number = plan.task.number
    this.generation = plan.task.generation
    this.pid = child.pid ?? 0
    this.ask = channel.ask.bind(channel)
    this.askPatiently = channel.askPatiently.bind(channel)
    this.tell = channel.tell.bind(channel)
    this.hear = channel.hear.bind(channel)
    this.answer = channel.answer.bind(channel)
    this.follow()
    channel.tell(Messages.start, { ...plan.task, protocol: Messages.protocol, version })
  }

  /** Starts it. It need not be ready yet. */
  static readonly start = (plan: WorkerPlan): Effect.Effect<WorkerProcess, never, Scope.Scope> =>
    Effect.gen(function* () {
      const exit = yield* Deferred.make<Exited>()
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => tellExit(spawned(plan), exit)),
        (child) => Effect.sync(() => child.kill("SIGKILL")),
      )
      const ended = yield* Deferred.make<Ending>()
      const ready = yield* Deferred.make<typeof Messages.ready.body.Type, WorkerFailed>()
      const channel = yield* Channel.make(wireTo(child))
      const worker = new WorkerProcess(plan, child, channel, { ready, ended, replace: yield* Deferred.make<void>() })
      // A process is gone behind its last message.
      const gone = Deferred.await(exit).pipe(
        // One that could not be started need not have had a channel.
        Effect.tap(() => Effect.timeoutOption(channel.closed, lastMessageTime)),
        Effect.flatMap((end) => worker.buried(end)),
      )
      yield* Effect.forkScoped(Effect.interruptible(gone))
      return worker
    })

  /** Ends when it accepts connections; fails if it cannot. */
  get begun(): Effect.Effect<typeof Messages.ready.body.Type, WorkerFailed> {
    return Deferred.await(this.milestones.ready)
  }

  /** Ends when the process has ended. */
  get ended(): Effect.Effect<Ending> {
    return Deferred.await(this.milestones.ended)
  }

  /** Ends when somebody has told this worker alone to stop. */
  get wantsReplacement(): Effect.Effect<void> {
    return Deferred.await(this.milestones.replace)
  }

  /** Whether it has come to accept connections. */
  get hasBegun(): boolean {
    return this.accepting
  }

  /** Whether it has been told to end. */
  get isRetiring(): boolean {
    return this.retiring
  }

  /** Another round of `beatInterval` is over. Gives for how many it has been silent by now, from its first beat on. */
  countSilence(): number {
    return this.last === undefined ? 0 : ++this.silentRounds
  }

  /** Tells it to take nothing new and to end when nothing is left on it, which it sees to within its grace. */
  retire(othersGoOn: boolean): void {
    this.retiring = true
    this.tell(Messages.retire, { othersGoOn })
  }

  kill(): void {
    this.child.kill("SIGKILL")
  }

  private follow(): void {
    const { ready, replace } = this.milestones
    this.hear(Messages.beat, (beat) => {
      this.last = beat
      this.silentRounds = 0
    })
    this.hear(Messages.failed, (said) => {
      this.said = said
    })
    // Safe: these are told from the outside, once, and whoever awaits them is a fiber.
    this.hear(Messages.ready, (told) => {
      this.accepting = true
      Deferred.unsafeDone(ready, Effect.succeed(told))
    })
    this.hear(Messages.pleaseReplace, () => Deferred.unsafeDone(replace, Effect.void))
  }

  private buried({ lastWords, exitCode }: Exited): Effect.Effect<void> {
    const { accepting, last = { connections: 0, loopDelay: 0 }, milestones, said } = this
    const couldNotBegin = said !== undefined && !accepting
    const failure = said ?? {
      problem: `worker ${this.number} ${lastWords} before it accepted connections`,
      exitCode: 1,
    }
    return Effect.zipRight(
      Deferred.fail(milestones.ready, new WorkerFailed(failure)),
      Deferred.succeed(milestones.ended, { lastWords: said?.problem ?? lastWords, exitCode, couldNotBegin, ...last }),
    )
  }
}

/**
 * Tells how a child has ended, or why it could not be started. It is listened to at once: an error that nobody hears ends this
 * process. One of a child that was started, such as that a message could not be sent, is not its end.
 */
const tellExit = (child: ChildProcess, exit: Deferred.Deferred<Exited>): ChildProcess => {
  // Safe: whoever awaits it is a fiber, and what comes behind the first is passed over.
  const tell = (exited: Exited) => Deferred.unsafeDone(exit, Effect.succeed(exited))
  child.on("exit", (code, signal) => tell({ lastWords: endOf(code, signal), exitCode: code ?? 1 }))
  child.on("error", ({ message }) => {
    if (child.pid === undefined) tell({ lastWords: `could not be started: ${message}`, exitCode: 1 })
  })
  return child
}
