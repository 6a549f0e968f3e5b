import { Effect, Option, type Scope } from "effect"
import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"

/** A real terminal, of tmux, with a shell in it. */
export class Terminal {
  constructor(private readonly server: string) {}

  /** Runs a command of tmux on this terminal's own server; what it prints. */
  tmux(...words: ReadonlyArray<string>): Effect.Effect<string> {
    return Effect.async((resume) => {
      execFile("tmux", ["-L", this.server, "-f", "/dev/null", ...words], (error, stdout, stderr) =>
        resume(error === null ? Effect.succeed(stdout) : Effect.die(`tmux ${words.join(" ")}: ${stderr}`)),
      )
    })
  }

  /** Presses keys, by the names that tmux has for them. */
  press(...keys: ReadonlyArray<string>): Effect.Effect<string> {
    return this.tmux("send-keys", ...keys)
  }

  /** Types a line, and Enter. */
  type(line: string): Effect.Effect<string> {
    return Effect.zipRight(this.tmux("send-keys", "-l", line), this.press("Enter"))
  }

  resize(columns: number, rows: number): Effect.Effect<string> {
    return this.tmux("resize-window", "-x", String(columns), "-y", String(rows))
  }

  /** What is on the screen. */
  get screen(): Effect.Effect<string> {
    return this.tmux("capture-pane", "-p")
  }

  /** Whether there is a second screen on show, a cursor, and lines that go on in the next one. */
  get modes(): Effect.Effect<string> {
    return this.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}")
  }

  /** The screen, as soon as it has this. */
  shows(expected: RegExp): Effect.Effect<string> {
    // Nothing tells when a screen changes.
    const look = Effect.delay(this.screen, "30 millis")
    return Effect.repeat(look, { until: (screen) => expected.test(screen) }).pipe(
      Effect.timeoutOption("15 seconds"),
      Effect.flatMap(
        Option.match({
          onNone: () => Effect.flatMap(this.screen, (screen) => Effect.die(`${String(expected)} is not in\n${screen}`)),
          onSome: Effect.succeed,
        }),
      ),
    )
  }
}

/** The prompt of the shell, with nothing behind it. */
export const prompt = /^\$$/m

/** A terminal of this size, with a shell that has an empty prompt. */
export const startTerminal = (columns: number, rows: number): Effect.Effect<Terminal, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const terminal = new Terminal(`ss-proxy-${randomBytes(6).toString("hex")}`)
      const size = ["-x", String(columns), "-y", String(rows)]
      yield* terminal.tmux("new-session", "-d", ...size, "env -i PATH=$PATH TERM=screen PS1='$ ' sh")
      return terminal
    }),
    (terminal) => Effect.ignore(terminal.tmux("kill-server")),
  ).pipe(Effect.tap((terminal) => terminal.shows(prompt)))
