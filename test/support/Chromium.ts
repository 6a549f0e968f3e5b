import { Effect, Schema, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { Readable, Writable } from "node:stream"
import { temporaryFolder } from "../sessions/temporary.js"
import { isInstalled } from "./Tool.js"

/** Where Debian, and others, have it. */
export const chromiumProgram: string | undefined = ["chromium", "chromium-browser", "google-chrome"].find(isInstalled)

/** It asks nobody but the pages that it is sent to. */
const switches = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
]

type Params = Readonly<Record<string, unknown>>

/** What Chromium answers to a command, or tells of its own accord. */
interface Word {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** The DevTools protocol on two pipes: JSON, with a zero byte behind each. */
class DevTools {
  private readonly waiting = new Map<number, (word: Word) => void>()
  private readonly listeners = new Set<(word: Word) => void>()
  private lastId = 0
  private rest = ""

  constructor(
    private readonly to: Writable,
    from: Readable,
  ) {
    from.setEncoding("utf8").on("data", (text: string) => {
      const words = (this.rest + text).split("\0")
      this.rest = words.pop() ?? ""
      for (const word of words) this.heard(JSON.parse(word))
    })
  }

  private heard(word: Word): void {
    for (const listener of this.listeners) listener(word)
    if (word.id !== undefined) this.waiting.get(word.id)?.(word)
  }

  /** Gives a command, and waits for what comes of it. */
  ask<A>(method: string, params: Params, result: Schema.Schema<A>, sessionId?: string): Effect.Effect<A> {
    return Effect.flatMap(this.tell(method, params, sessionId), (answer) =>
      Effect.orDie(Schema.decodeUnknown(result)(answer)),
    )
  }

  /** The same, where nothing in the answer matters. */
  tell(method: string, params: Params, sessionId?: string): Effect.Effect<unknown> {
    return Effect.async((resume) => {
      const id = ++this.lastId
      this.waiting.set(id, ({ result, error }) => {
        this.waiting.delete(id)
        resume(error === undefined ? Effect.succeed(result) : Effect.dieMessage(`${method}: ${error.message}`))
      })
      this.to.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`)
    })
  }

  /** Waits for the next event of this name. */
  event(method: string, sessionId: string): Effect.Effect<void> {
    return Effect.async((resume) => {
      const listener = (word: Word): void => {
        if (word.method !== method || word.sessionId !== sessionId) return
        this.listeners.delete(listener)
        resume(Effect.void)
      }
      this.listeners.add(listener)
    })
  }
}

const Target = Schema.Struct({ targetId: Schema.String })
const Session = Schema.Struct({ sessionId: Schema.String })
const Evaluation = Schema.Struct({
  result: Schema.Struct({ value: Schema.optional(Schema.Unknown) }),
  exceptionDetails: Schema.optional(Schema.Unknown),
})

/** A page that is open. */
export class Page {
  constructor(
    private readonly tools: DevTools,
    private readonly sessionId: string,
  ) {}

  /** Goes to an address, and waits until the page is there with its scripts. */
  goTo(url: string): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      yield* this.tools.tell("Page.enable", {}, this.sessionId)
      const loaded = this.tools.event("Page.loadEventFired", this.sessionId)
      const navigated = this.tools.tell("Page.navigate", { url }, this.sessionId)
      yield* Effect.all([loaded, navigated], { concurrency: "unbounded" })
    })
  }

  /** The value of an expression in the page, once it is there: JSON. What it throws is a defect. */
  evaluate(expression: string): Effect.Effect<unknown> {
    const params = { expression, awaitPromise: true, returnByValue: true }
    return this.tools
      .ask("Runtime.evaluate", params, Evaluation, this.sessionId)
      .pipe(
        Effect.flatMap(({ result, exceptionDetails }) =>
          exceptionDetails === undefined
            ? Effect.succeed(result.value)
            : Effect.dieMessage(`${expression}: ${JSON.stringify(exceptionDetails)}`),
        ),
      )
  }
}

/** Chromium without a window. */
export class Chromium {
  private constructor(private readonly tools: DevTools) {}

  /** Opens a page; it is closed with the scope. */
  open(url: string): Effect.Effect<Page, never, Scope.Scope> {
    return Effect.gen(this, function* () {
      const { targetId } = yield* Effect.acquireRelease(
        this.tools.ask("Target.createTarget", { url: "about:blank" }, Target),
        ({ targetId }) => this.tools.tell("Target.closeTarget", { targetId }),
      )
      const { sessionId } = yield* this.tools.ask("Target.attachToTarget", { targetId, flatten: true }, Session)
      const page = new Page(this.tools, sessionId)
      yield* page.goTo(url)
      return page
    })
  }

  /** Starts one, with a profile of its own; it is ended with the scope. */
  static start(program: string): Effect.Effect<Chromium, never, Scope.Scope> {
    return Effect.gen(function* () {
      const profile = yield* temporaryFolder
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(program, [...switches, `--user-data-dir=${profile}`], {
            stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
            detached: true,
          }),
        ),
        kill,
      )
      const [, , , to, from] = child.stdio
      if (!(to instanceof Writable && from instanceof Readable))
        return yield* Effect.dieMessage("Chromium has no pipes")
      to.on("error", () => {})
      const tools = new DevTools(to, from)
      const quit = Effect.zipRight(tools.tell("Browser.close", {}), ended(child))
      yield* Effect.addFinalizer(() => Effect.ignore(Effect.timeout(quit, 3_000)))
      return new Chromium(tools)
    })
  }
}

const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
  })

/** Kills one that did not quit, with those that it started: they are in its group. */
const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, "SIGKILL")
    return ended(child)
  })
