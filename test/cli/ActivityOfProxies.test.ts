import { describe, expect, it } from "@effect/vitest"
import { once } from "node:events"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { fetchOnce, json, runProgram, start, temporaryFolder } from "./Program.js"

/** A proxy with its demo server, in a process of its own. */
const startProxy = async (database: string, ...args: ReadonlyArray<string>) => {
  const child = start(["--demo", "--port", "0", "--host", "127.0.0.1", "-d", database, ...args])
  onTestFinished(() => void child.kill("SIGKILL"))
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  const says = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(stderr)
      if (found !== null) return found[1] ?? ""
      if (child.exitCode !== null) throw new Error(`the proxy ended; it said: ${stderr}`)
      await Promise.race([once(child.stderr, "data"), once(child, "exit")])
    }
  }
  const port = await says(/ port=(\d+)/)
  return {
    ask: async (path: string) => (await fetchOnce(`http://127.0.0.1:${port}${path}`)).status,
    says,
    log: () => stderr,
    end: async (signal: NodeJS.Signals) => {
      child.kill(signal)
      await once(child, "close")
    },
  }
}

interface Listed {
  readonly id: string
  readonly last_request_at: string | null
}

const laboratory = () => {
  const database = join(temporaryFolder(), "sessions.db")
  return {
    database,
    file: `${database}.activity`,
    /** What is written down of the session, once a request of it is. */
    seen: async (id: string): Promise<{ readonly last_request_at: string | null }> => {
      for (;;) {
        const listed = await runProgram(["sessions", "list", "--idle-for", "0s", "-d", database, "--json"])
        const written = listed.code === 0 ? (json(listed) as ReadonlyArray<Listed>) : []
        const shown = written.find((session) => session.id === id)
        if (typeof shown?.last_request_at === "string") return shown
      }
    },
    sessions: (...args: ReadonlyArray<string>) => runProgram(["sessions", ...args, "-d", database]),
  }
}

describe("a proxy", () => {
  it("writes down a last time when it stops, and goes on from there when it starts again", async () => {
    const { database, sessions } = laboratory()
    // The demo session goes when its proxy does; this one stays, and leads to the same server.
    const times: Array<string | null> = []
    for (const turn of ["first", "second"]) {
      const proxy = await startProxy(database, "--activity-interval", "3600")
      const demo = json(await sessions("show", "demo", "--json")) as { readonly url: string }
      await sessions("add", "app", demo.url, "--replace")
      expect(await proxy.ask("/app/get"), turn).toBe(200)
      await proxy.end("SIGTERM")
      expect(proxy.log()).not.toContain("WARN")
      const shown = json(await sessions("show", "app", "--json")) as { readonly last_request_at: string | null }
      times.push(shown.last_request_at)
    }
    expect(times.every((time) => time !== null)).toBe(true)
    expect(times).toEqual(times.toSorted())
    expect(new Set(times).size).toBe(2)
  })

  it("loses no more than the interval when it is killed", async () => {
    const { database, seen } = laboratory()
    const proxy = await startProxy(database, "--activity-interval", "0.2")
    expect(await proxy.ask("/demo/get")).toBe(200)
    await seen("demo")
    await proxy.end("SIGKILL")
    const { last_request_at } = await seen("demo")
    expect(Math.abs(Date.parse(last_request_at ?? "") - Date.now())).toBeLessThan(30_000)
  })

  it("makes no file where the interval is 0, and is asked itself", async () => {
    const { database, file, sessions } = laboratory()
    const proxy = await startProxy(database, "--activity-interval", "0")
    expect(await proxy.ask("/demo/get")).toBe(200)
    const listed = await sessions("list", "--idle-for", "1m")
    expect(listed).toMatchObject({ code: 1 })
    const shown = json(await sessions("show", "demo", "--json"))
    expect(shown).toMatchObject({ last_request_at: expect.any(String) as string, last_kind: "request" })
    await proxy.end("SIGTERM")
    expect(existsSync(file)).toBe(false)
  })

  it("goes on where the file cannot be used, and says so once", async () => {
    const { database, file } = laboratory()
    writeFileSync(file, "not a database, though long enough to be one\n".repeat(50))
    const proxy = await startProxy(database, "--activity-interval", "0.1")
    await proxy.says(/(is not an SQLite database: activity of sessions is not recorded; traffic goes on)/)
    for (let asked = 0; asked < 5; asked++) {
      expect(await proxy.ask("/demo/get")).toBe(200)
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    await proxy.end("SIGTERM")
    expect(proxy.log().match(/not an SQLite database/g)).toHaveLength(1)
  })

  it("shares the file with another, and each of them keeps the later time", async () => {
    const { database, seen, sessions } = laboratory()
    const [one, other] = [
      await startProxy(database, "--activity-interval", "0.1"),
      await startProxy(database, "--activity-interval", "0.1"),
    ]
    expect(await one.ask("/demo/get")).toBe(200)
    const first = await seen("demo")
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(await other.ask("/demo/get")).toBe(200)
    for (;;) {
      const { last_request_at } = await seen("demo")
      if ((last_request_at ?? "") > (first.last_request_at ?? "")) break
    }
    expect(json(await sessions("list", "--idle-for", "1h", "--json"))).toEqual([])
    expect(one.log() + other.log()).not.toContain("WARN")
  })
})
