import { Effect, Queue, type Scope } from "effect"
import { closeLostTerminal } from "../LostTerminal.js"
import { type Style, styleOf } from "../Style.js"
import { type Key, KeyReader } from "./Keys.js"
import { widthOf } from "../TextWidth.js"
import type { Line } from "./Line.js"

/** What a terminal tells. */
export type ScreenEvent =
  | { readonly _tag: "Key"; readonly key: Key }
  | { readonly _tag: "Resized"; readonly columns: number; readonly rows: number }
  /** There is no terminal any more. */
  | { readonly _tag: "Gone" }

const esc = "\u001b["
// The screen beside the one with the shell's lines; no cursor; no line goes on in the next; pasted text is marked as such.
const begin = `${esc}?1049h${esc}?25l${esc}?7l${esc}?2004h`
const end = `${esc}0m${esc}?2004l${esc}?7h${esc}?25h${esc}?1049l`
const clear = `${esc}2J`

/** The size of the terminal; one that does not say has the usual one. */
const sizeOf = (): { readonly columns: number; readonly rows: number } => {
  const { columns, rows } = process.stdout
  return { columns: columns > 0 ? columns : 80, rows: rows > 0 ? rows : 24 }
}

/** The terminal, while it is ours. */
export class Screen {
  private drawn: ReadonlyArray<string> = []
  private isOurs = false
  private readonly style: Style = styleOf(process.stdout)
  private readonly reader = new KeyReader()

  constructor(private readonly events: Queue.Enqueue<ScreenEvent>) {}

  /** Takes the terminal, and says how large it is. */
  open(): void {
    const { stdin, stdout } = process
    this.take()
    stdin.setEncoding("utf8").on("data", this.heard).on("end", this.gone).on("error", this.gone)
    stdout.on("resize", this.resized)
    process.on("SIGCONT", this.continued).on("SIGTSTP", this.suspend).on("exit", this.leave)
    // Before what prints the message of a crash, which would be lost with this screen.
    process.prependListener("uncaughtException", this.restore).prependListener("unhandledRejection", this.restore)
  }

  /** Gives the terminal back as it was. */
  close(): void {
    const { stdin, stdout } = process
    this.restore()
    stdin.off("data", this.heard).off("end", this.gone).off("error", this.gone)
    stdout.off("resize", this.resized)
    process.off("SIGCONT", this.continued).off("SIGTSTP", this.suspend).off("exit", this.leave)
    process.off("uncaughtException", this.restore).off("unhandledRejection", this.restore)
  }

  /** Draws what has changed since the last time. */
  draw(lines: ReadonlyArray<Line>): void {
    if (!this.isOurs) return
    const { columns } = sizeOf()
    const texts = lines.map((line) => this.textOf(line, columns))
    const changed = texts.map((text, at) => (text === this.drawn[at] ? "" : `${esc}${at + 1};1H${text}`))
    const rest = texts.length < this.drawn.length ? `${esc}${texts.length + 1};1H${esc}J` : ""
    this.drawn = texts
    const output = changed.join("") + rest
    if (output !== "") process.stdout.write(output)
  }

  /** Forgets what was drawn, so that all of it is drawn again. */
  forget(): void {
    this.drawn = []
    if (this.isOurs) process.stdout.write(clear)
  }

  /** Gives the terminal to the shell, as Ctrl-Z does, until the process is told to go on. */
  readonly suspend = (): void => {
    this.restore()
    // The next one stops the process, which is what is wanted now; those of the same job stop with it.
    process.off("SIGTSTP", this.suspend)
    process.kill(0, "SIGTSTP")
  }

  private readonly continued = (): void => {
    process.off("SIGTSTP", this.suspend).on("SIGTSTP", this.suspend)
    this.take()
    this.resized()
  }

  private take(): void {
    this.isOurs = true
    process.stdin.setRawMode(true).resume()
    process.stdout.write(begin + clear)
  }

  /** At most once; a terminal that is gone need not be restored. */
  private readonly restore = (): void => {
    if (!this.isOurs) return
    this.isOurs = false
    process.stdout.write(end)
    try {
      process.stdin.setRawMode(false)
    } catch {
      // It is gone.
    }
    process.stdin.pause()
  }

  private readonly leave = (): void => {
    this.restore()
    closeLostTerminal()
  }

  private readonly heard = (text: string): void => {
    for (const key of this.reader.read(text)) this.tell({ _tag: "Key", key })
  }

  private readonly resized = (): void => {
    this.forget()
    this.tell({ _tag: "Resized", ...sizeOf() })
  }

  private readonly gone = (): void => this.tell({ _tag: "Gone" })

  private tell(event: ScreenEvent): void {
    // Unsafe only in that it is no Effect: the queue has no limit, and this is called by Node.
    this.events.unsafeOffer(event)
  }

  /** The rest of the line is cleared; behind the last column there is none, and the character there would be lost. */
  private textOf(line: Line, columns: number): string {
    const width = line.reduce((sum, { text }) => sum + widthOf(text), 0)
    const shown = line.map(({ look, text }) => (look === "plain" ? text : this.style[look](text))).join("")
    return width < columns ? `${shown}${esc}K` : shown
  }
}

/** The terminal, drawn on until the scope closes; then it is as it was. What it tells goes to `events`, first its size. */
export const openScreen = (events: Queue.Enqueue<ScreenEvent>): Effect.Effect<Screen, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const screen = new Screen(events)
      screen.open()
      return screen
    }),
    (screen) => Effect.sync(() => screen.close()),
  ).pipe(Effect.tap(Queue.offer(events, { _tag: "Resized", ...sizeOf() })))
