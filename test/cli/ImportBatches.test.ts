import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { once } from "node:events"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { onDatabase, start } from "./Program.js"

const line = (at: number): string => `${JSON.stringify({ id: `s${at}`, url: "h:1" })}\n`
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, at) => line(from + at)).join("")

/** How many sessions a database has. */
const countOf = (file: string): unknown => {
  const database = new Sqlite(file, { readonly: true })
  const count = database.prepare("SELECT count(*) FROM sessions").pluck().get()
  database.close()
  return count
}

describe("an import in batches", () => {
  it("stops at what is wrong, says how far it came, and can be made again", async () => {
    const { folder, feed } = onDatabase()
    const broken = `${lines(0, 700)}{"id":\n${lines(700, 1_100)}`
    const stopped = await feed(broken, "import", "-")
    expect([stopped.code, stopped.stdout]).toEqual([1, ""])
    expect(stopped.stderr).toContain(
      "the import of standard input stopped; 1 batch is in force, up to line 500 (stored 500 sessions): line 701: it is not JSON",
    )
    expect(countOf(join(folder, "sessions.db"))).toBe(500)
    const skipped = await feed(broken, "import", "-", "--replace", "--on-error", "skip")
    expect(skipped).toMatchObject({ code: 1, stdout: "imported 1100 sessions, 500 of them replaced\n" })
    expect(skipped.stderr).toContain("skipped line 701: it is not JSON\n")
    expect(countOf(join(folder, "sessions.db"))).toBe(1_100)
  })

  it("sees an id that stands twice, also in a dry run and in another batch", async () => {
    const { folder, feed } = onDatabase()
    const twice = `${lines(0, 600)}${line(3)}`
    const words = ["import", "-", "--on-error", "skip"]
    const dry = await feed(twice, ...words, "--dry-run")
    expect(dry.stdout).toBe("would import 600 sessions; nothing was written\n")
    expect(dry.stderr).toContain('skipped line 601: "s3" exists already\n')
    const real = await feed(twice, ...words)
    expect([real.stdout, real.stderr]).toEqual(["imported 600 sessions\n", dry.stderr])
    expect(countOf(join(folder, "sessions.db"))).toBe(600)
  })

  it("says what is in force where a signal stops it, and that is all there is", async () => {
    const { folder } = onDatabase()
    const file = join(folder, "sessions.db")
    const child = start(["sessions", "import", "-", "-d", file])
    onTestFinished(() => void child.kill("SIGKILL"))
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    child.stdin.on("error", () => {})
    child.stdin.write(lines(0, 1_234))
    // Its rest never comes. Both batches are in force once another program sees them.
    const seen = (): unknown => {
      try {
        return countOf(file)
      } catch {
        return 0
      }
    }
    while (seen() !== 1_000) await new Promise((resume) => setTimeout(resume, 10))
    child.kill("SIGINT")
    const [, signal]: ReadonlyArray<unknown> = await once(child, "close")
    expect(signal).toBe("SIGINT")
    expect(said).toBe("ss-proxy: stopped by SIGINT; 2 batches are in force, up to line 1000 (stored 1000 sessions)\n")
    expect(countOf(file)).toBe(1_000)
  })

  it("says so where the database is locked, and for how long it waited at most", async () => {
    const { folder, feed, sessions } = onDatabase()
    await sessions("add", "before", "h:1")
    const holder = new Sqlite(join(folder, "sessions.db"))
    onTestFinished(() => void holder.close())
    holder.exec("BEGIN IMMEDIATE")
    const { code, stderr } = await feed(lines(0, 10), "import", "-")
    expect(code).toBe(1)
    expect(stderr).toContain("is locked by another program")
  })
})
