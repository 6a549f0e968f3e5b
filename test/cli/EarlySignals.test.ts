import { expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { onTestFinished } from "vitest"
import { start, temporaryFolder } from "./Program.js"
import { describeUnless, lackingFile } from "../support/LeftOut.js"

/** Whether a process catches a signal that node itself leaves alone: then a line of ours has run. */
const catchesSignals = (pid: number): boolean => {
  const [, mask = "0"] = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return (BigInt(`0x${mask}`) & (1n << BigInt(constants.signals.SIGHUP - 1))) !== 0n
}

/** A program of which the first line has run, that moment, and how it will have ended. */
const begun = async (words: ReadonlyArray<string>, database = join(temporaryFolder(), "sessions.db")) => {
  const child = start([...words, "-d", database])
  onTestFinished(() => void child.kill("SIGKILL"))
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const startedAt = performance.now()
  const ended = once(child, "close").then(([code, signal]: ReadonlyArray<unknown>) => code ?? signal)
  while (!catchesSignals(child.pid ?? 0)) await pause(1)
  return { child, ended, took: performance.now() - startedAt, said: () => said }
}

describeUnless(lackingFile("/proc/self/status"))("ss-proxy run, told to stop before it is up", () => {
  const words = ["run", "--port", "0", "--host", "127.0.0.1"]

  it.each([
    ["SIGTERM", 0],
    ["SIGTERM", 25],
    ["SIGTERM", 75],
    ["SIGTERM", 150],
    ["SIGTERM", 250],
    ["SIGTERM", 400],
    ["SIGINT", 0],
    ["SIGINT", 100],
  ] as const)("by %s %i ms after its first line, ends with 0", async (signal, delay) => {
    const { child, ended, said } = await begun(words)
    await pause(delay)
    child.kill(signal)
    expect(await ended).toBe(0)
    expect(said()).toMatch(/ stopped\n$/)
  })

  it.each(["SIGUSR1", "SIGUSR2", "SIGHUP"] as const)("is not told so by %s", async (signal) => {
    const { child, ended, said } = await begun(words)
    child.kill(signal)
    while (!said().includes("listening")) await once(child.stderr, "data")
    child.kill("SIGTERM")
    expect(await ended).toBe(0)
    expect(said()).toMatch(signal === "SIGUSR2" ? /the log level is debug/ : new RegExp(`${signal} is ignored`))
  })

  it("is so from well before it is loaded", async () => {
    const { child, ended, took, said } = await begun(words)
    const startedAt = performance.now() - took
    while (!said().includes("listening")) await once(child.stderr, "data")
    expect(took).toBeLessThan((performance.now() - startedAt) / 2)
    child.kill("SIGTERM")
    expect(await ended).toBe(0)
  })

  it("ends with 0 although somebody holds a lock that it waits for", async () => {
    const database = join(temporaryFolder(), "sessions.db")
    const other = new Sqlite(database)
    onTestFinished(() => void other.close())
    other.exec("CREATE TABLE lock (a); BEGIN EXCLUSIVE")
    const { child, ended, said } = await begun(words, database)
    // By now it waits, and would for 5 seconds.
    await pause(1_000)
    const startedAt = performance.now()
    child.kill("SIGTERM")
    expect(await ended).toBe(0)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(said()).not.toContain("listening")
  })
})

describeUnless(lackingFile("/proc/self/status"))("a command that is not to run on", () => {
  it.each([0, 50, 400])(
    "ends by the signal that comes %i ms after its first line, as any program does",
    async (delay) => {
      const { child, ended } = await begun(["sessions", "import", "-"])
      await pause(delay)
      child.kill("SIGINT")
      expect(await ended).toBe("SIGINT")
    },
  )
})
