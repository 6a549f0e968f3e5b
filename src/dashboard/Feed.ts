import type { ServerEvent } from "../wire/EventReader.js"
import { type Api, Problem } from "./Api.js"
import { eventsPath } from "./EventsPath.js"
import type { History, Sample, SessionChange } from "./Shapes.js"

/** Whether the figures are live. `outdated`: this proxy has no such stream. */
export interface Connection {
  readonly state: "connecting" | "open" | "lost" | "outdated"
  /** When it was last open, and when it is tried again; milliseconds since the epoch. */
  readonly lostAt?: number
  readonly retryAt?: number
  readonly problem?: string
}

/** A quarter of an hour, a sample a second. */
const mostSamples = 900
/** Between a change of what is looked at and asking for it, in milliseconds: somebody who scrolls looks at nothing. */
const settling = 300
const longestPause = 15_000

/** Who is told of something, until they no longer want to be. */
class Listeners<A> {
  private readonly all = new Set<(value: A) => void>()

  add(listener: (value: A) => void, signal: AbortSignal): void {
    this.all.add(listener)
    signal.addEventListener("abort", () => this.all.delete(listener), { once: true })
  }

  tell(value: A): void {
    for (const listener of this.all) listener(value)
  }
}

/** What the proxy tells each second: figures of the whole, and of the sessions that are on the screen. One stream for the whole page. */
export class Feed {
  readonly onSample = new Listeners<Sample>()
  readonly onSessions = new Listeners<ReadonlyArray<SessionChange>>()
  readonly onConnection = new Listeners<Connection>()
  /** The last quarter of an hour, oldest first. */
  samples: ReadonlyArray<Sample> = []
  connection: Connection = { state: "connecting" }
  private watched: ReadonlyArray<string> = []
  private controller = new AbortController()
  private settle: ReturnType<typeof setTimeout> | undefined
  private pause = 1_000
  private wake: (() => void) | undefined

  constructor(
    private readonly api: Api,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener("abort", () => {
      clearTimeout(this.settle)
      this.controller.abort()
      this.wake?.()
    })
    void this.run()
  }

  /** These sessions are looked at from now on, and no others. */
  watch(ids: ReadonlyArray<string>): void {
    if (ids.length === this.watched.length && ids.every((id, index) => id === this.watched[index])) return
    this.watched = ids
    clearTimeout(this.settle)
    this.settle = setTimeout(() => this.controller.abort(), settling)
  }

  /** Tries again now. */
  retry(): void {
    this.wake?.()
  }

  private async run(): Promise<void> {
    let isFresh = false
    while (!this.signal.aborted) {
      this.controller = new AbortController()
      try {
        if (!isFresh) this.samples = (await this.api.get<History>("/v1/stats/history", this.signal)).samples
        isFresh = true
        await this.listen()
        if (!this.controller.signal.aborted) await this.lost("The proxy has ended the stream.")
      } catch (error) {
        if (this.signal.aborted) return
        if (this.controller.signal.aborted) continue
        isFresh = false
        await this.lost(error instanceof Error ? error.message : String(error), error)
      }
      if (this.connection.state !== "open") isFresh = false
    }
  }

  private listen(): Promise<void> {
    return this.api.events(
      eventsPath(this.watched),
      this.controller.signal,
      (event) => this.heard(event),
      () => {
        this.pause = 1_000
        this.become({ state: "open" })
      },
    )
  }

  private async lost(problem: string, error?: unknown): Promise<void> {
    const isOutdated = error instanceof Problem && (error.status === 404 || error.status === 400)
    const lostAt = this.connection.lostAt ?? Date.now()
    const retryAt = Date.now() + this.pause
    this.become({ state: isOutdated ? "outdated" : "lost", lostAt, retryAt, problem })
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.pause)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.pause = Math.min(longestPause, this.pause * 2)
  }

  private become(connection: Connection): void {
    this.connection = connection
    this.onConnection.tell(connection)
  }

  private heard({ data, event }: ServerEvent): void {
    if (event === "stats") {
      const sample: Sample = JSON.parse(data)
      this.samples = [...this.samples.slice(1 - mostSamples), sample]
      this.onSample.tell(sample)
    } else if (event === "sessions") {
      const { sessions }: { readonly sessions: ReadonlyArray<SessionChange> } = JSON.parse(data)
      this.onSessions.tell(sessions)
    }
  }
}
