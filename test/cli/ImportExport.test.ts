import { describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isInstalled } from "../support/Tool.js"
import { binary, json, onDatabase } from "./Program.js"

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

describe("an import that takes long", () => {
  it.runIf(isInstalled("script"))("tells somebody at a terminal how far it is, and nobody else", async () => {
    const { folder } = onDatabase()
    const file = join(folder, "many.json")
    writeFileSync(
      file,
      JSON.stringify(Array.from({ length: 10_000 }, (_, at) => ({ id: `s${at}`, url: "localhost:1" }))),
    )
    const words = [process.execPath, binary, "sessions", "import", file, "--replace", "-d", join(folder, "sessions.db")]
    // Of util-linux: runs a command on a terminal of its own.
    const seen = spawnSync("script", ["-qec", words.join(" "), "/dev/null"], { encoding: "utf8" })
    expect(seen.stdout).toMatch(/^\d+ of 10000 sessions…/m)
    expect(seen.stdout).toContain("imported 10000 sessions")
    const unseen = spawnSync(process.execPath, words.slice(1), { encoding: "utf8" })
    expect([unseen.status, unseen.stderr]).toEqual([0, ""])
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
