import type { Api } from "./Api.js"
import type { Feed } from "./Feed.js"

/** What all pages share. */
export interface Shared {
  readonly api: Api
  readonly feed: Feed
  /** Goes to another place of this page: a route such as `#/live`. */
  readonly go: (route: string) => void
  /** Tells who listens instead of looking: results, not figures. And everybody, for a moment. */
  readonly say: (text: string, isProblem?: boolean) => void
}

/** One of the pages, as long as it is open. */
export interface View {
  readonly title: string
  readonly node: HTMLElement
  /** Keys that do something here. */
  readonly keys?: Readonly<Record<string, () => void>>
  /** Asks for everything again: the proxy was away, or what may be changed has changed. */
  readonly reload: () => void
}

/** What ends with a page: questions under way, timers, listeners. */
export class Lifetime {
  private readonly controller = new AbortController()

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Does this when it ends. */
  atEnd(release: () => void): void {
    this.signal.addEventListener("abort", release, { once: true })
  }

  end(): void {
    this.controller.abort()
  }

  /** Does something each so many milliseconds, while somebody can see it. */
  every(milliseconds: number, act: () => void): void {
    const timer = setInterval(() => {
      if (!document.hidden) act()
    }, milliseconds)
    this.atEnd(() => clearInterval(timer))
  }
}

/** So long what is shown may be old before it looks so, in milliseconds. */
const patience = 300

/**
 * Loads what an area shows, one question at a time; the latest wins. While it takes long, the area looks old, and keeps what it
 * shows. `failed`: undefined once it goes well again.
 */
export class Loader<A> {
  private current: AbortController | undefined

  constructor(
    private readonly area: HTMLElement,
    private readonly lifetime: Lifetime,
    private readonly ask: (signal: AbortSignal) => Promise<A>,
    private readonly show: (value: A) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Asks, unless a question is under way already. */
  readonly refresh = (): void => {
    if (this.current === undefined) void this.load()
  }

  /** Asks now, whatever is under way: that was another question. */
  readonly restart = (): void => void this.load()

  private async load(): Promise<void> {
    this.current?.abort()
    const mine = new AbortController()
    this.current = mine
    const old = setTimeout(() => this.area.classList.add("old"), patience)
    try {
      const value = await this.ask(AbortSignal.any([mine.signal, this.lifetime.signal]))
      if (!mine.signal.aborted && !this.lifetime.signal.aborted) this.show(value)
    } catch (error) {
      if (!mine.signal.aborted && !this.lifetime.signal.aborted) this.failed(error)
    } finally {
      clearTimeout(old)
      if (this.current === mine) {
        this.current = undefined
        this.area.classList.remove("old")
      }
    }
  }
}
