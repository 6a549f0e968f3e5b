import { expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { startAdminLab } from "../../admin/AdminLab.js"
import { temporaryFile, temporaryFolder } from "../../sessions/temporary.js"
import { describeUnless, lacking } from "../../support/LeftOut.js"
import { prompt, startTerminal, type Terminal } from "../../support/Tmux.js"
import { binary } from "../../support/BuiltProgram.js"

/** The line that the shell writes behind the program: its exit code, and the settings of the terminal. */
const behind = `; echo "code=$?"; stty -g`

const settingsIn = (screen: string): string => /^[0-9a-f]+(:[0-9a-f]+)+$/m.exec(screen)?.[0] ?? "none"

/** Runs `top`, ends it, and says how it ended; fails unless the terminal is as it was. */
const outcomeOf = (terminal: Terminal, command: string, end: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    yield* terminal.type("clear; echo kept; stty -g")
    const before = settingsIn(yield* terminal.shows(/^[0-9a-f]+(:[0-9a-f]+)+$/m))
    const modes = yield* terminal.modes
    yield* terminal.type(`${command}${behind}`)
    yield* terminal.shows(/^> app /m)
    expect(yield* terminal.modes).toBe("1 0 0\n")
    yield* end
    const after = yield* terminal.shows(/code=\d+\n[0-9a-f:]+\n/)
    expect(yield* terminal.modes).toBe(modes)
    expect(after).toContain("kept")
    expect(after).not.toContain("> app")
    expect(settingsIn(after.slice(after.indexOf("code=")))).toBe(before)
    return /code=\d+/.exec(after)?.[0]
  })

/** A program is started for each way to end it, which takes long on a busy machine; in milliseconds. */
const patience = 60_000

/** Throws what nobody catches when it is told to: a crash of the program. */
const crash = `process.on("SIGUSR2", () => { throw new Error("a crash of the test") })`

describeUnless(lacking("tmux"))("top on a terminal", () => {
  it.scopedLive(
    "leaves the terminal as it was, however it ends",
    () =>
      Effect.gen(function* () {
        const { adminSocket } = yield* startAdminLab()
        const folder = yield* temporaryFolder
        writeFileSync(join(folder, "crash.cjs"), crash)
        const terminal = yield* startTerminal(200, 40)
        const program = `node -r ${folder}/crash.cjs ${binary} top --admin ${adminSocket}`
        const command = `sh -c 'echo $$ > ${folder}/pid; exec ${program}'`
        const send = (signal: NodeJS.Signals) =>
          Effect.sync(() => process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), signal))
        const end = (by: Effect.Effect<unknown>) => outcomeOf(terminal, command, by)
        expect(yield* end(terminal.press("q"))).toBe("code=0")
        expect(yield* end(terminal.press("C-c"))).toBe("code=0")
        expect(yield* end(send("SIGINT"))).toBe("code=0")
        expect(yield* end(send("SIGTERM"))).toBe("code=143")
        expect(yield* end(send("SIGHUP"))).toBe("code=129")
        expect(yield* end(send("SIGUSR2"))).toBe("code=1")
        // The message of a crash is not lost with the second screen.
        expect(yield* terminal.screen).toContain("internal error: a crash of the test")
      }),
    patience,
  )

  it.scopedLive(
    "is drawn for 60 and for 200 columns, while it runs, and again after Ctrl-Z",
    () =>
      Effect.gen(function* () {
        const { adminSocket } = yield* startAdminLab()
        const terminal = yield* startTerminal(200, 40)
        yield* terminal.type(`node ${binary} top --admin ${adminSocket}`)
        expect(yield* terminal.shows(/^> app /m)).toMatch(/^ {2}SESSION .* STATE .* OUT\/S .* LAST ERROR .* IDLE$/m)
        yield* terminal.resize(60, 12)
        expect(yield* terminal.shows(/^ {2}SESSION +STATE +REQ\/S +WS +ERR\/S$/m)).toMatch(/^> app /m)
        yield* terminal.resize(50, 12)
        yield* terminal.shows(/^top needs 60 columns/)
        yield* terminal.resize(80, 12)
        yield* terminal.shows(/^> app /m)
        yield* terminal.press("C-z")
        yield* terminal.shows(/Stopped/)
        yield* terminal.type("fg")
        yield* terminal.shows(/^> app /m)
        yield* terminal.press("/", "x")
        yield* terminal.shows(/^no session fits$/m)
        yield* terminal.press("C-c")
        yield* terminal.shows(prompt)
      }),
    patience,
  )

  it.scopedLive(
    "waits for a proxy that goes away, and finds it again",
    () =>
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const adminSocket = yield* temporaryFile("admin.sock")
        yield* Effect.provideService(startAdminLab({ settings: { adminSocket } }), Scope.Scope, first)
        const terminal = yield* startTerminal(80, 24)
        yield* terminal.type(`node ${binary} top --admin ${adminSocket}`)
        yield* terminal.shows(/^> app /m)
        yield* Scope.close(first, Exit.void)
        expect(yield* terminal.shows(/no answer for \d+s: the proxy gave no usable answer/)).toMatch(/^> app /m)
        yield* startAdminLab({ settings: { adminSocket } })
        yield* terminal.shows(/1 of 1 session$/m)
        yield* terminal.press("q")
        yield* terminal.shows(prompt)
      }),
    patience,
  )
})
