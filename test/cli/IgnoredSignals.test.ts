import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { onTestFinished } from "vitest"
import { fetchOnce, start, temporaryFolder } from "./Program.js"
import { binary } from "../support/BuiltProgram.js"
import { descendantsOf } from "../support/ChildProcesses.js"
import { Changes } from "../support/Changes.js"
import { describeUnless, lacking } from "../support/LeftOut.js"

const words = () => ["run", "--host", "127.0.0.1", "--port", "0", "-d", join(temporaryFolder(), "sessions.db")]

/** A proxy that listens, and what it says; `closed` is how it ended. */
const listening = async (child = start(words())) => {
  onTestFinished(() => void child.kill("SIGKILL"))
  const log = { said: "" }
  const changes = new Changes()
  const read = (text: string) => {
    log.said += text
    changes.announce()
  }
  child.stderr.setEncoding("utf8").on("data", read)
  child.stdout.setEncoding("utf8").on("data", read)
  const closed = once(child, "close")
  const says = (text: RegExp): Promise<void> => Effect.runPromise(changes.when(() => text.test(log.said)))
  await says(/ port=\d+/)
  return { child, log, says, closed, port: Number(/ port=(\d+)/.exec(log.said)?.[1]) }
}

/** Whether something listens on the port of node's debugger. */
const isDebuggerOpen = async (): Promise<boolean> => {
  const socket = connect(9229, "127.0.0.1")
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
  })
  socket.destroy()
  return isOpen
}

describe("a signal that means nothing to the proxy", () => {
  it.each(["SIGUSR1", "SIGHUP"] as const)("is told in the log and ignored: %s", async (signal) => {
    const { child, log, says, closed, port } = await listening()
    const before = await isDebuggerOpen()
    for (let count = 1; count <= 3; count++) {
      child.kill(signal)
      await says(new RegExp(`(INFO  ${signal} is ignored: [^]*){${count}}`))
    }
    expect(await isDebuggerOpen()).toBe(before)
    expect(log.said).not.toContain("Debugger")
    expect((await fetchOnce(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    child.kill("SIGTERM")
    expect(await closed).toEqual([0, null])
  })
})

describe("SIGUSR2", () => {
  it("turns what debug logs on, and off again", async () => {
    const { child, log, says, closed, port } = await listening()
    const ask = (target: string) => fetchOnce(`http://127.0.0.1:${port}/${target}`)
    await ask("before")
    child.kill("SIGUSR2")
    await says(/the log level is debug/)
    await ask("between")
    await says(/refused .*target=\/between /)
    child.kill("SIGUSR2")
    await says(/the log level is info/)
    await ask("behind")
    child.kill("SIGTERM")
    expect(await closed).toEqual([0, null])
    expect(log.said).not.toMatch(/before|behind/)
  })
})

/** Runs its arguments on a terminal of their own, passes on what they print, and closes the terminal when its input ends. */
const onTerminal = `
import os, pty, select, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    ready, _, _ = select.select([terminal, 0], [], [])
    if terminal in ready:
        try:
            os.write(1, os.read(terminal, 65536))
        except OSError:
            break
    if 0 in ready and os.read(0, 65536) == b"":
        os.close(terminal)
        break
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`

const underTerminal = (...command: ReadonlyArray<string>) =>
  spawn("python3", ["-c", onTerminal, ...command], { stdio: "pipe", env: { ...process.env, NO_COLOR: "1" } })

describeUnless(lacking("python3"))("a terminal that is closed", () => {
  it("stops the proxy politely", async () => {
    const { child, closed, says } = await listening(underTerminal(process.execPath, binary, ...words()))
    await says(/stop with Ctrl-C/)
    child.stdin.end()
    expect(await closed).toEqual([0, null])
  })

  it("stops all workers of one, and leaves no process", async () => {
    const workers = [...words(), "--workers", "2"]
    const { child, closed, says } = await listening(underTerminal(process.execPath, binary, ...workers))
    await says(/with 2 workers/)
    const processes = descendantsOf(child.pid ?? 0)
    // The supervisor and its workers.
    expect(processes.length).toBe(3)
    child.stdin.end()
    expect(await closed).toEqual([0, null])
    expect(processes.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
  })

  it("does not stop a proxy that nohup has started there", async () => {
    const file = join(temporaryFolder(), "log")
    const script = 'log=$1; shift; nohup "$@" >/dev/null 2>"$log" & echo pid=$!; wait'
    const child = underTerminal("sh", "-c", script, "sh", file, process.execPath, binary, ...words())
    let printed = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
    const closed = once(child, "close")
    while (!/pid=\d+/.test(printed)) await once(child.stdout, "data")
    const pid = Number(/pid=(\d+)/.exec(printed)?.[1])
    onTestFinished(() => {
      // Whether or not it has been stopped.
      spawnSync("kill", ["-9", String(pid)])
    })
    const logged = async (text: RegExp): Promise<RegExpExecArray> => {
      for (;;) {
        const found = existsSync(file) ? text.exec(readFileSync(file, "utf8")) : null
        if (found !== null) return found
        await pause(10)
      }
    }
    const [, port] = await logged(/ port=(\d+)/)
    child.stdin.end()
    await closed
    await logged(/SIGHUP is ignored/)
    expect((await fetchOnce(`http://127.0.0.1:${port}/health`)).status).toBe(200)
    process.kill(pid, "SIGTERM")
    await logged(/ stopped\n/)
  })
})
