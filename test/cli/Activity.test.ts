import { describe, expect, it } from "@effect/vitest"
import { chmodSync, existsSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { json, onDatabase } from "./Program.js"

/** A database with some sessions, as old as is said, and their activity. */
const withSessions = async (ages: Readonly<Record<string, { readonly added: number; readonly active?: number }>>) => {
  const database = onDatabase()
  const file = join(database.folder, "sessions.db.activity")
  for (const [id, { added, active }] of Object.entries(ages)) {
    await database.sessions("add", id, "h:1")
    if (active !== undefined) await database.sessions("touch", id)
    database.sql(`UPDATE sessions SET created_at = datetime('now', '-${added} seconds') WHERE session_id = '${id}'`)
    if (active === undefined) continue
    database.sql(`ATTACH '${file}' AS a;
      UPDATE a.session_activity SET last_client_at = (unixepoch() - ${active}) * 1000 WHERE session_id = '${id}'`)
  }
  return { ...database, file }
}

const minute = 60
const hour = 3_600

describe("ss-proxy sessions list --idle-for", () => {
  it("lists those that nobody has used for so long, or since they were added", async () => {
    const { sessions } = await withSessions({
      used: { added: 5 * hour, active: 10 * minute },
      unused: { added: 5 * hour, active: 2 * hour },
      new: { added: 10 * minute },
      forgotten: { added: hour + minute },
      // Of an earlier session of its name.
      again: { added: minute, active: 24 * hour },
    })
    const rows = json(await sessions("list", "--idle-for", "1h", "--json"))
    expect(rows).toMatchObject([
      { id: "forgotten", last_client_at: null, last_kind: null, forwards: true },
      { id: "unused", last_request_at: null, last_server_at: null, last_kind: "touch" },
    ])
    expect(JSON.stringify(rows)).toMatch(
      /"last_client_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z".*"idle_seconds":72\d\d\}/,
    )
    expect((await sessions("list", "--idle-for", "1h")).stdout).toMatch(
      /^ID +STATUS +IDLE +URL +UPDATED\nforgotten +active +1 h +h:1 .*\nunused +active +2 h +h:1 /,
    )
    expect(json(await sessions("list", "--idle-for", "9m", "--json"))).toHaveLength(4)
    const none = await sessions("list", "--idle-for", "7d", "--status", "active")
    expect(none).toMatchObject({ code: 0, stdout: "" })
    expect(none.stderr).toMatch(/^no sessions with the status "active" and idle for 7 days in /)
  })

  it("takes nobody for idle where nothing was written down, or it cannot be read", async () => {
    const { file, sessions } = await withSessions({ a: { added: 5 * hour, active: 4 * hour } })
    rmSync(file)
    const missing = await sessions("list", "--idle-for", "1h")
    expect(missing).toMatchObject({ code: 1, stdout: "" })
    expect(missing.stderr).toMatch(
      /^ss-proxy: cannot tell which sessions are idle: .*sessions\.db\.activity does not exist; a running proxy records this/,
    )
    writeFileSync(file, "not a database, though long enough to be one\n".repeat(50))
    const garbage = await sessions("list", "--idle-for", "1h")
    expect(garbage).toMatchObject({ code: 1, stdout: "" })
    expect(garbage.stderr).toContain("is not an SQLite database")
    expect(await sessions("list")).toMatchObject({ code: 0, stderr: "" })
  })

  it.each(["", "1w", "-5m", "soon", "1e3", "30 m"])("refuses %j as a time", async (time) => {
    const { sessions } = onDatabase()
    const refused = await sessions("list", `--idle-for=${time}`)
    expect(refused).toMatchObject({ code: 2, stdout: "" })
    expect(refused.stderr).toContain("must be a time such as 90s, 30m, 12h or 7d")
  })
})

describe("ss-proxy sessions show", () => {
  it("says when the session was last active, and exactly as JSON", async () => {
    const { sessions } = await withSessions({ a: { added: 5 * hour, active: 3 * minute + 5 }, b: { added: 2 * hour } })
    const shown = await sessions("show", "a")
    expect(shown.stdout).toMatch(/^active {3}last request never, client 3 min ago, server never\nidle {5}3 min$/m)
    expect(json(await sessions("show", "a", "--json"))).toMatchObject({
      last_client_at: expect.stringMatching(/Z$/) as string,
      last_kind: "touch",
    })
    expect((await sessions("show", "b")).stdout).toMatch(/^active {3}never\nidle {5}2 h$/m)
  })

  it("is silent of it where nobody writes it down, and says why where it cannot be read", async () => {
    const { file, sessions } = await withSessions({ a: { added: hour } })
    const silent = await sessions("show", "a")
    expect(silent.stderr).toBe("")
    expect(silent.stdout).not.toContain("active   ")
    expect(existsSync(file)).toBe(false)
    writeFileSync(file, "not a database, though long enough to be one\n".repeat(50))
    const shown = await sessions("show", "a", "--json")
    expect(json(shown)).toMatchObject({ id: "a", last_request_at: null })
    expect(shown.stderr).toMatch(/^note: its last activity is unknown: .* is not an SQLite database\n$/)
  })
})

describe("ss-proxy sessions touch", () => {
  it("counts sessions as active now, all of them or none", async () => {
    const { sessions } = await withSessions({ a: { added: hour }, b: { added: hour } })
    const none = await sessions("touch", "a", "c", "b")
    expect(none).toMatchObject({ code: 1, stdout: "" })
    expect(none.stderr).toContain('there is no session "c"')
    expect(json(await sessions("show", "a", "--json"))).toMatchObject({ last_kind: null })
    expect(await sessions("touch", "b", "a", "b")).toEqual({ code: 0, stdout: "touched b\ntouched a\n", stderr: "" })
    expect(json(await sessions("show", "a", "--json"))).toMatchObject({
      last_kind: "touch",
      idle_seconds: expect.any(Number) as number,
    })
    expect(json(await sessions("list", "--idle-for", "30m", "--json"))).toEqual([])
  })

  it("makes the file as secret as the database", async () => {
    const { folder, sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    chmodSync(join(folder, "sessions.db"), 0o600)
    expect(await sessions("touch", "a")).toMatchObject({ code: 0 })
    expect(statSync(join(folder, "sessions.db.activity")).mode & 0o777).toBe(0o600)
  })
})
