import { describe, expect, it } from "@effect/vitest"
import { readdirSync } from "node:fs"
import { policyRows } from "../../src/domain/Policies.js"
import { json, onDatabase } from "./Program.js"

const time = expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)

describe("ss-proxy sessions", () => {
  it("adds a session, which list and show then have", async () => {
    const { sessions } = onDatabase()
    expect(await sessions("add", "a", "http://localhost:9000/base")).toEqual({
      code: 0,
      stdout: "added a -> http://localhost:9000/base (active)\n",
      stderr: "",
    })
    const expected = {
      id: "a",
      url: "http://localhost:9000/base",
      status: "active",
      forwards: true,
      ...Object.fromEntries(Object.values(policyRows).map(({ column }) => [column, null])),
      insecure: false,
      created_at: time,
      updated_at: time,
      draining_until: null,
    }
    expect(json(await sessions("list", "--json"))).toEqual([expected])
    const unknown = { last_request_at: null, last_client_at: null, last_server_at: null, last_kind: null }
    expect(json(await sessions("show", "a", "--json"))).toEqual({
      ...expected,
      ...unknown,
      names: [],
      idle_seconds: null,
      health: null,
    })
    const shown = await sessions("show", "a")
    expect(shown.stdout).toContain("url      http://localhost:9000/base\n")
    expect((await sessions("list")).stdout).toMatch(
      /^ID {2}STATUS {2}URL {25}UPDATED\na {3}active {2}http:.* \d\d:\d\d:\d\d\n$/,
    )
  })

  it("says of rows of other programs that lead nowhere that they do not forward, and why", async () => {
    const { sessions, sql } = onDatabase()
    await sessions("add", "good", "h:1")
    const insert = (id: string, url: string) =>
      sql(`INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)
        VALUES ('${id}', '${url}', 'active')`)
    insert("bad-url", "ftp://user:secret@h")
    insert("bad-policy", "h:1")
    sql("INSERT INTO session_policies (session_id, insecure, ws_path) VALUES ('bad-policy', 'perhaps', NULL)")
    insert("health", "h:1")
    const rows = json(await sessions("list", "--json")) as ReadonlyArray<{ id: string; forwards: boolean }>
    expect(Object.fromEntries(rows.map(({ id, forwards }) => [id, forwards]))).toEqual({
      good: true,
      "bad-url": false,
      "bad-policy": false,
      health: false,
    })
    expect(json(await sessions("show", "bad-url", "--json"))).toMatchObject({ forwards: false })
    expect((await sessions("show", "bad-url")).stdout).toMatch(
      /^url {6}\*\*\*@h \(cannot be used: .*; requests are answered with 502\)$/m,
    )
    expect((await sessions("show", "health")).stdout).toMatch(
      /^id {7}health \(never reached: "health" is reserved.*\)$/m,
    )
    const { stdout } = await sessions("list")
    expect(stdout).toMatch(/^ID .* PROBLEM\n/)
    expect(stdout).toMatch(/^bad-url .* \*\*\*@h .*:\d\d {2}its scheme is "ftp"/m)
    expect(stdout).toMatch(/^bad-policy .* {2}its insecure is "perhaps"/m)
    expect(stdout).toMatch(/^health .* {2}never reached: "health" is reserved: .*$/m)
    expect(stdout).toMatch(/^good .*:\d\d$/m)
  })

  it("warns of a status that does not forward, beside the JSON", async () => {
    const { sessions } = onDatabase()
    const added = await sessions("add", "a", "h:9000", "--status", "warming up", "--json")
    expect(added.code).toBe(0)
    expect(json(added)).toMatchObject({ status: "warming up", forwards: false })
    expect(added.stderr).toMatch(/^note: the status "warming up" does not forward.*active, online and ready forward\n$/)
  })

  it("says which name a session has below --session-hosts, and why another has none", async () => {
    const { sessions } = onDatabase()
    const hosts = ["--session-hosts", "apps.test,localhost"]
    expect((await sessions("add", "a", "h:9000", ...hosts)).stderr).toBe("")
    expect((await sessions("add", "B", "h:9000", ...hosts)).stderr).toMatch(/^note: B has no name: the id has capital /)
    expect((await sessions("show", "a", ...hosts)).stdout).toContain("name     a.apps.test, a.localhost\n")
    expect((await sessions("show", "B", ...hosts)).stdout).toMatch(/^name {5}none: .*reachable by its path alone$/m)
    expect(json(await sessions("show", "a", "--json", ...hosts))).toMatchObject({
      names: ["a.apps.test", "a.localhost"],
    })
  })

  it("refuses to add an id that exists, unless told to replace it", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    expect(await sessions("add", "a", "h:2")).toEqual({
      code: 1,
      stdout: "",
      stderr:
        'ss-proxy: the session "a" exists already; change it with "ss-proxy sessions set a --url URL", or add it with --replace\n',
    })
    expect(json(await sessions("add", "a", "h:2", "--replace", "--json"))).toMatchObject({ url: "h:2" })
    expect(await sessions("add", "a", "h:3", "--replace")).toMatchObject({ stdout: "replaced a -> h:3 (active)\n" })
    expect(await sessions("add", "b", "h:3", "--replace")).toMatchObject({ stdout: "added b -> h:3 (active)\n" })
  })

  it("changes the URL, the status, or both", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    expect(json(await sessions("set", "a", "--url", "h:2", "--json"))).toMatchObject({ url: "h:2", status: "active" })
    expect(json(await sessions("set", "--status", "paused", "a", "--json"))).toMatchObject({
      url: "h:2",
      status: "paused",
      forwards: false,
    })
    expect(await sessions("set", "a")).toMatchObject({ code: 2, stdout: "" })
    expect(await sessions("set", "a", "--url", "h?q")).toMatchObject({ code: 1, stdout: "" })
  })

  it("gives a session policies of its own, and takes them back", async () => {
    const { sessions } = onDatabase()
    const added = await sessions("add", "a", "https://h:1", "--ws-path", "strip", "--insecure")
    expect(added.stdout).toBe("added a -> https://h:1 (active, insecure, ws-path strip)\n")
    expect(json(await sessions("show", "a", "--json"))).toMatchObject({ insecure: true, ws_path: "strip" })
    expect(json(await sessions("set", "a", "--no-insecure", "--json"))).toMatchObject({
      insecure: false,
      ws_path: "strip",
    })
    expect(json(await sessions("set", "a", "--ws-path", "default", "--json"))).toMatchObject({ ws_path: null })
    expect(json(await sessions("set", "a", "--insecure=true", "--json"))).toMatchObject({ insecure: true })
    expect(json(await sessions("set", "a", "--insecure=false", "--json"))).toMatchObject({ insecure: false })
    expect(json(await sessions("set", "a", "--ws-path=full", "--insecure", "--json"))).toMatchObject({
      url: "https://h:1",
      insecure: true,
      ws_path: "full",
    })
    expect(json(await sessions("add", "a", "https://h:1", "--replace", "--json"))).toMatchObject({
      insecure: false,
      ws_path: null,
    })
  })

  it("does not add a session with what is left of another, nor list what has no session", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "https://h:1", "--insecure")
    expect(json(await sessions("remove", "a", "--json"))).toMatchObject([{ insecure: true }])
    expect(json(await sessions("add", "a", "https://h:1", "--json"))).toMatchObject({ insecure: false })
  })

  it("warns of a server that is not verified: when that is set, in the list and where it is shown", async () => {
    const { sessions } = onDatabase()
    const warning = /^warning: insecure: a: the certificate of the server is not verified.*--downstream-ca\n$/
    const lax = await sessions("add", "a", "wss://h:1", "--insecure")
    await sessions("add", "b", "https://h:1", "--ws-path", "full")
    const outcomes = [
      lax,
      await sessions("set", "a", "--status", "ready", "--json"),
      await sessions("list"),
      await sessions("list", "--json"),
      await sessions("show", "a"),
    ]
    for (const { code, stderr } of outcomes) {
      expect(code).toBe(0)
      expect(stderr).toMatch(warning)
    }
    expect(outcomes[2]?.stdout).toMatch(
      /^ID {2}STATUS {2}POLICY {8}URL .*\na {3}ready {3}insecure .*\nb {3}active {2}ws-path full /,
    )
    expect(outcomes[4]?.stdout).toContain("insecure  yes: the certificate of the server is not verified\n")
    expect(outcomes[4]?.stdout).toContain("url       wss://h:1\n")
    expect((await sessions("show", "b")).stderr).toBe("")
    expect((await sessions("show", "b")).stdout).toContain("ws-path  full\n")
    expect((await sessions("add", "c", "http://h:1", "--insecure")).stderr).toBe("")
    expect((await sessions("set", "a", "--no-insecure")).stderr).toBe("")
  })

  it("refuses policies that there are not, and such as contradict each other", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    expect(await sessions("set", "a", "--ws-path", "sideways")).toEqual({
      code: 2,
      stdout: "",
      stderr: 'ss-proxy: --ws-path is "sideways"; it must be one of append, full, strip, or default\n',
    })
    expect(await sessions("set", "a", "--insecure", "--no-insecure")).toMatchObject({ code: 2, stdout: "" })
  })

  it("shows a policy that means nothing, and says what that does", async () => {
    const { sessions, sql } = onDatabase()
    await sessions("add", "a", "h:1")
    sql("INSERT INTO session_policies (session_id, insecure, ws_path) VALUES ('a', 'perhaps', 'sideways')")
    expect((await sessions("show", "a")).stdout).toContain(
      'policy   cannot be used: its insecure is "perhaps"; it must be 0 or 1 (requests are answered with 502)\n',
    )
    expect(json(await sessions("list", "--json"))).toMatchObject([{ insecure: "perhaps", ws_path: "sideways" }])
    expect((await sessions("list")).stdout).toContain("insecure perhaps, ws-path sideways")
    await sessions("set", "a", "--no-insecure", "--ws-path", "default")
    expect(json(await sessions("show", "a", "--json"))).toMatchObject({ insecure: false, ws_path: null })
  })

  it("removes all the ids it is given, or none", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    await sessions("add", "b", "h:1")
    expect(await sessions("remove", "a", "nowhere")).toMatchObject({ code: 1, stdout: "" })
    expect(json(await sessions("list", "--json"))).toHaveLength(2)
    expect(await sessions("remove", "a", "nowhere", "--if-exists")).toEqual({
      code: 0,
      stdout: "removed a -> h:1 (active)\n",
      stderr: 'note: not there: "nowhere"\n',
    })
    const removed = await sessions("remove", "a", "b", "--if-exists", "--json")
    expect(removed).toMatchObject({ code: 0, stderr: "" })
    expect(json(removed)).toMatchObject([{ id: "b" }])
    expect(json(await sessions("list", "--json"))).toEqual([])
  })

  it("suggests the id that was meant", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "notebook", "h:1")
    for (const command of [["show"], ["set", "--status", "x"], ["remove"]])
      expect(await sessions(...command, "notebok")).toEqual({
        code: 1,
        stdout: "",
        stderr: 'ss-proxy: there is no session "notebok"; did you mean "notebook"?\n',
      })
  })

  it("says how to add the first session, and still prints a JSON value", async () => {
    const { sessions } = onDatabase()
    const listed = await sessions("list")
    expect(listed).toMatchObject({ code: 0, stdout: "" })
    expect(listed.stderr).toMatch(
      /^no sessions in .*sessions\.db, which does not exist yet; add one: .* sessions add my-session/,
    )
    expect(json(await sessions("list", "--json"))).toEqual([])
  })

  it("makes no file but for a session to put into it: to a proxy that runs, an empty one says that there are no sessions", async () => {
    const { folder, sessions } = onDatabase()
    const listed = await sessions("list")
    expect(listed.stderr).toContain("sessions.db, which does not exist yet; add one")
    expect(json(await sessions("export"))).toEqual([])
    for (const command of [["show"], ["set", "--status", "x"], ["remove"]])
      expect(await sessions(...command, "nobody")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('there is no session "nobody"'),
      })
    expect(readdirSync(folder)).toEqual([])
    expect(await sessions("add", "one", "http://localhost:9000")).toMatchObject({ code: 0 })
    expect(readdirSync(folder)).toContain("sessions.db")
  })

  it("lists only the sessions of a status", async () => {
    const { sessions } = onDatabase()
    await sessions("add", "a", "h:1")
    await sessions("add", "b", "h:1", "--status", "paused")
    expect(json(await sessions("list", "--status", "paused", "--json"))).toMatchObject([{ id: "b" }])
  })
})
