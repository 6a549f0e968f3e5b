import { Effect, type Scope } from "effect"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { Changes, type NotSeen } from "./Changes.js"
import { startTool } from "./Tool.js"

/** The program `sqlite3`, at work on a database that others use too. */
export class SqliteShell {
  private output = ""
  private errors = ""
  private readonly changes = new Changes()

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.output += text
      this.changes.announce()
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errors += text
      this.changes.announce()
    })
  }

  /**
   * Runs statements, each a transaction of its own. Gives the moment right after the last commit by the clock of
   * `sqlite3` itself: milliseconds since 1970, to the millisecond.
   */
  run(statements: string): Effect.Effect<number, NotSeen> {
    return Effect.suspend(() => {
      this.output = ""
      this.child.stdin.write(
        `${statements};\nSELECT printf('done at %.3f', (julianday('now') - 2440587.5) * 86400000.0);\n`,
      )
      const done = () => /^done at ([\d.]+)$/m.exec(this.output)?.[1]
      return this.changes
        .until(
          "sqlite3",
          () => done() !== undefined || this.errors !== "",
          () => this.output,
        )
        .pipe(
          Effect.flatMap(() => {
            const at = done()
            return at === undefined ? Effect.dieMessage(`sqlite3 said: ${this.errors}`) : Effect.succeed(Number(at))
          }),
        )
    })
  }

  /** Opens a database; the program is killed with the scope. */
  static open(filename: string): Effect.Effect<SqliteShell, NotSeen, Scope.Scope> {
    return Effect.gen(function* () {
      const shell = new SqliteShell(yield* startTool("sqlite3", ["-batch", filename]))
      yield* shell.run(".timeout 5000\nSELECT 1")
      return shell
    })
  }
}
