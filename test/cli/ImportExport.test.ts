import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { onTestFinished } from "vitest"
import { isInstalled } from "../support/Tool.js"
import { describeUnless, lackingFile } from "../support/LeftOut.js"
import { json, onDatabase, start } from "./Program.js"
import { binary } from "../support/BuiltProgram.js"

describe("an export whose output has no room", () => {
  /** `sh` lets no file that the program writes grow beyond 64 KiB. */
  const exportTo = (file: string, database: string) =>
    spawnSync(
      "sh",
      ["-c", 'ulimit -f 128; exec "$@" > "$0"', file, process.execPath, binary, "sessions", "export", "-d", database],
      {
        encoding: "utf8",
      },
    )

  // Only Linux has this device, which has no room for anything.
  it.runIf(existsSync("/dev/full"))("fails and says so: half a backup must not look like one", async () => {
    const { feed, folder } = onDatabase()
    const many = Array.from({ length: 100 }, (_, at) => ({
      id: `s${at}`,
      url: `http://localhost/${"x".repeat(1_000)}`,
    }))
    await feed(JSON.stringify(many), "import", "-")
    for (const file of ["/dev/full", join(folder, "backup.json")]) {
      const { status, stderr } = exportTo(file, join(folder, "sessions.db"))
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/^ss-proxy: standard output cannot be written \(E\w+\)/),
      ])
    }
  })
})

/** Whether a process catches SIGINT, which node itself leaves alone. */
const catchesInterrupt = (pid: number): boolean => {
  const [, mask = "0"] = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? []
  return (BigInt(`0x${mask}`) & (1n << BigInt(constants.signals.SIGINT - 1))) !== 0n
}

describeUnless(lackingFile("/proc/self/status"))("a command that only reads", () => {
  it.each([["export"], ["list"], ["list", "--json"]])(
    "ends by a signal though its work is one long turn: %s",
    async (...words) => {
      const { folder, sessions, sql } = onDatabase()
      await sessions("add", "first", "localhost:1")
      sql(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
      INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) SELECT 's' || i, 'localhost:1', 'active' FROM n`)
      const child = start(["sessions", ...words, "-d", join(folder, "sessions.db")])
      onTestFinished(() => void child.kill("SIGKILL"))
      const ended = once(child, "exit").then(([code, signal]: ReadonlyArray<unknown>) => code ?? signal)
      while (!catchesInterrupt(child.pid ?? 0)) await pause(1)
      // From here on nothing holds a signal back.
      while (catchesInterrupt(child.pid ?? 0)) await pause(1)
      child.kill("SIGINT")
      expect(await ended).toBe("SIGINT")
    },
  )
})

/** A file of so many sessions. */
const fileOf = (folder: string, count: number): string => {
  const file = join(folder, "many.json")
  writeFileSync(file, JSON.stringify(Array.from({ length: count }, (_, at) => ({ id: `s${at}`, url: "localhost:1" }))))
  return file
}

describe("an import that takes long", () => {
  // The program `script` makes the terminal, and Node cannot.
  it.runIf(isInstalled("script"))("tells somebody at a terminal how far it is, and nobody else", async () => {
    const { folder } = onDatabase()
    const file = fileOf(folder, 60_000)
    const words = [process.execPath, binary, "sessions", "import", file, "--replace", "-d", join(folder, "sessions.db")]
    // Of util-linux: runs a command on a terminal of its own.
    const seen = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], { encoding: "utf8" })
    expect(seen.stdout).toMatch(/\rchecking: \d+ of 60000 sessions/)
    expect(seen.stdout).toMatch(/\r\u001b\[Kimported 60000 sessions/)
    const unseen = spawnSync(process.execPath, words.slice(1), { encoding: "utf8" })
    expect([unseen.status, unseen.stderr]).toEqual([0, ""])
  })

  /** An import that has begun to write, for it holds the lock. */
  const begun = async () => {
    const { folder, sessions, sql } = onDatabase()
    await sessions("add", "before", "localhost:1")
    sql("PRAGMA journal_mode = WAL")
    const file = join(folder, "sessions.db")
    const child = start(["sessions", "import", fileOf(folder, 100_000), "-d", file])
    onTestFinished(() => void child.kill("SIGKILL"))
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    const ended = once(child, "close").then(([code, signal]: ReadonlyArray<unknown>) => code ?? signal)
    const other = new Sqlite(file, { timeout: 0 })
    onTestFinished(() => void other.close())
    const isFree = (): boolean => {
      try {
        other.exec("BEGIN IMMEDIATE; ROLLBACK")
        return true
      } catch {
        return false
      }
    }
    // The command takes the lock at its start for a moment, too, to look for its tables.
    for (let busy = 0; busy < 3; busy = isFree() ? 0 : busy + 1) await pause(2)
    const stored = other.prepare("SELECT session_id AS id FROM sessions")
    return { child, ended, stored: () => stored.all(), said: () => said }
  }

  it.each(["SIGINT", "SIGTERM"] as const)(
    "is taken back by %s, says so, and ends as any program does",
    async (signal) => {
      const { child, ended, stored, said } = await begun()
      child.kill(signal)
      expect(await ended).toBe(signal)
      expect(said()).toBe(`ss-proxy: stopped by ${signal}; nothing was imported\n`)
      expect(stored()).toEqual([{ id: "before" }])
    },
  )

  it.each(["SIGHUP", "SIGKILL"] as const)("has written nothing where it is killed by %s", async (signal) => {
    const { child, ended, stored } = await begun()
    child.kill(signal)
    expect(await ended).toBe(signal)
    expect(stored()).toEqual([{ id: "before" }])
  })
})

describe("an import into a table with rules of its own", () => {
  it.each([
    [
      "a trigger that aborts",
      "CREATE TRIGGER rule BEFORE INSERT ON sessions WHEN new.session_id = 'c' BEGIN SELECT RAISE(ABORT, 'no c'); END",
      "refuses this row: it has a rule of its own (no c)",
    ],
    [
      "a trigger that takes all back",
      "CREATE TRIGGER rule AFTER INSERT ON sessions WHEN new.session_id = 'c' BEGIN SELECT RAISE(ROLLBACK, 'no c'); END",
      "refuses this row: it has a rule of its own (no c)",
    ],
    [
      "a trigger that ignores",
      "CREATE TRIGGER rule BEFORE INSERT ON sessions WHEN new.session_id = 'c' BEGIN SELECT RAISE(IGNORE); END",
      "passes over rows: it has a rule of its own",
    ],
    [
      "a unique index",
      "CREATE UNIQUE INDEX rule ON sessions (downstream_server_url)",
      "refuses this row: it has a rule of its own (UNIQUE constraint failed: sessions.downstream_server_url)",
    ],
  ])("writes all or nothing: %s", async (_name, rule, problem) => {
    const { sessions, sql, feed } = onDatabase()
    await sessions("add", "z", "h:1")
    sql(rule)
    const entries = [
      { id: "a", url: "h:2" },
      { id: "b", url: "h:3" },
      { id: "c", url: "h:2" },
      { id: "z", url: "h:4" },
    ]
    const { code, stdout, stderr } = await feed(JSON.stringify(entries), "import", "-", "--replace")
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toContain("nothing was imported from standard input: the sessions table in ")
    expect(stderr).toContain(problem)
    expect(json(await sessions("list", "--json"))).toMatchObject([{ id: "z", url: "h:1" }])
  })
})

describe("export and import", () => {
  it("copy one database to another", async () => {
    const from = onDatabase()
    const to = onDatabase()
    await from.sessions("add", "a", "http://user:secret@h:1")
    await from.sessions("add", "b", "h:2/base", "--status", "paused")
    const exported = await from.sessions("export")
    expect(await to.feed(exported.stdout, "import", "-")).toMatchObject({ code: 0, stdout: "imported 2 sessions\n" })
    const copied = await to.sessions("export")
    expect(json(copied)).toMatchObject([
      { id: "a", url: "http://user:secret@h:1", status: "active" },
      { id: "b", url: "h:2/base", status: "paused" },
    ])
  })

  it("copy policies too, with a warning; a file of an earlier version has none", async () => {
    const from = onDatabase()
    const to = onDatabase()
    await from.sessions("add", "a", "https://h:1", "--insecure")
    await from.sessions("add", "b", "https://h:2", "--ws-path", "strip")
    const exported = await from.sessions("export")
    const imported = await to.feed(exported.stdout, "import", "-")
    expect(imported).toMatchObject({ code: 0, stdout: "imported 2 sessions\n" })
    expect(imported.stderr).toMatch(/^warning: insecure: a: .*\n$/)
    const expected = [
      { id: "a", insecure: true, ws_path: null },
      { id: "b", insecure: false, ws_path: "strip" },
    ]
    expect(json(await to.sessions("list", "--json"))).toMatchObject(expected)
    const earlier = '{"id":"a","url":"https://h:1","status":"active","forwards":true,"created_at":null}'
    expect(await to.feed(earlier, "import", "-", "--replace")).toMatchObject({ code: 0, stderr: "" })
    expect(json(await to.sessions("show", "a", "--json"))).toMatchObject({ insecure: false })
  })

  it("write nothing where one entry is wrong or exists already", async () => {
    const { folder, sessions } = onDatabase()
    const file = join(folder, "sessions.jsonl")
    writeFileSync(file, '{"id":"a","url":"h:1"}\n{"id":"ws","url":"h:1"}\n')
    const bad = await sessions("import", file)
    expect(bad).toMatchObject({ code: 1, stdout: "" })
    expect(bad.stderr).toContain('line 2: "ws" is reserved')
    expect(json(await sessions("list", "--json"))).toEqual([])

    await sessions("add", "a", "h:9")
    writeFileSync(file, '{"id":"b","url":"h:1"}\n{"id":"a","url":"h:1"}\n')
    const taken = await sessions("import", file)
    expect(taken.stderr).toContain('"a" exists already; add --replace')
    expect(json(await sessions("list", "--json"))).toMatchObject([{ id: "a", url: "h:9" }])
    expect(await sessions("import", file, "--replace")).toMatchObject({
      code: 0,
      stdout: "imported 2 sessions, 1 of them replaced\n",
    })
    expect(json(await sessions("list", "--json"))).toMatchObject([{ id: "a", url: "h:1" }, { id: "b" }])
  })

  it("say so where there is no such file", async () => {
    const { sessions } = onDatabase()
    expect((await sessions("import", "/nowhere/x.json")).stderr).toMatch(
      /^ss-proxy: cannot read \/nowhere\/x\.json: there is no such file; .*\n$/,
    )
  })
})

describe("a password in a URL", () => {
  it("is shown nowhere but in an export, which says so", async () => {
    const { sessions } = onDatabase()
    const outcomes = [
      await sessions("add", "a", "http://user:secret@h:1"),
      await sessions("list"),
      await sessions("list", "--json"),
      await sessions("show", "a"),
      await sessions("set", "a", "--status", "ready", "--json"),
    ]
    for (const { code, stdout, stderr } of outcomes) {
      expect(code).toBe(0)
      expect(stdout + stderr).toContain("http://***@h:1")
      expect(stdout + stderr).not.toContain("secret")
    }
    const exported = await sessions("export")
    expect(json(exported)).toMatchObject([{ url: "http://user:secret@h:1" }])
    expect(exported.stderr).toContain("keep this safe")
  })
})

describe("values of fields", () => {
  it("are read from a file, shown nowhere but in an export, and stay with the URL that they were set for", async () => {
    const from = onDatabase()
    const to = onDatabase()
    const file = join(from.folder, "token.json")
    const setFields = { Authorization: "Bearer hunter2" }
    writeFileSync(file, `${JSON.stringify(setFields)}\n`)
    const outcomes = [
      await from.sessions("add", "a", "http://h:1", "--set-fields", `@${file}`),
      await from.sessions("set", "a", "--url", "http://h:2"),
      await from.sessions("show", "a", "--json"),
      await from.sessions("set", "a", "--set-fields", '{"Host":"hunter2"}'),
      await from.sessions("set", "a", "--set-fields", "Authorization: hunter2"),
      await from.sessions("set", "a", "--set-fields", '{"Authorization":"***"}'),
      await from.sessions("set", "a", "--set-fields", `@${file}.gone`),
    ]
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0, 0, 2, 2, 2, 2])
    for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain("hunter2")
    const said = [
      /set-fields \{"Authorization":"\*\*\*"\}/,
      /warning: requests for a are answered with 502: .*set them again/,
    ]
    for (const [index, text] of said.entries())
      expect((outcomes[index]?.stdout ?? "") + (outcomes[index]?.stderr ?? "")).toMatch(text)
    expect(outcomes.slice(3).map(({ stderr }) => stderr)).toEqual([
      expect.stringContaining("Host is for the proxy itself"),
      expect.stringContaining("it is not JSON"),
      expect.stringContaining("left out where it was shown; write it"),
      expect.stringContaining("there is no such file"),
    ])
    expect(JSON.parse(outcomes[2]?.stdout ?? "")).toMatchObject({ forwards: false, set_fields_url: "http://h:1" })
    const exported = await from.sessions("export")
    expect(exported.stderr).toContain("keep this safe")
    expect(await to.feed(exported.stdout, "import", "-")).toMatchObject({ code: 0 })
    const [imported] = json(await to.sessions("export")) as ReadonlyArray<unknown>
    expect(imported).toMatchObject({
      set_fields: JSON.stringify(setFields),
      set_fields_url: "http://h:1",
      forwards: false,
    })
  })
})
