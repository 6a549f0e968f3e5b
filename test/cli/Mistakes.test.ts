import Database from "better-sqlite3"
import { describe, expect, it } from "@effect/vitest"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type RunOptions, runProgram, temporaryFolder } from "./Program.js"

/** The one line on standard error that a failed run leaves, and its exit code. */
const failureOf = async (args: ReadonlyArray<string>, options: RunOptions = {}) => {
  const { code, stdout, stderr } = await runProgram(args, options)
  expect(stdout).toBe("")
  expect(stderr).toMatch(/^ss-proxy: [^\n]+\n$/)
  expect(stderr).not.toMatch(/\u001b|_tag|\bat .*:\d+:\d+/)
  return { code, line: stderr.trimEnd() }
}

describe("a mistake on the command line", () => {
  it.concurrent.each([
    [["--port", "99999"], '--port is "99999"; it must be a whole number from 0 to 65535'],
    [["run", "-t", "soon"], '--timeout is "soon"; it must be a number of seconds above 0'],
    [["--log-level=loud"], '--log-level is "loud"; it must be one of trace, debug, info, warn, error, off'],
    [
      ["--access-log=maybe"],
      '--access-log is "maybe"; it must be off, pretty, json, - for standard output, or the path of a file',
    ],
    [
      ["--trusted-proxies", "10.0.0.0/40"],
      '--trusted-proxies is "10.0.0.0/40"; it must be IP addresses or CIDR blocks',
    ],
    [["--db", "mysql://u:secret@h/d"], "it is no database URL, use sqlite:PATH or postgres://"],
    [["--db", "postgres://u:secret@h/d?sslmode=no"], "sslmode must be one of disable, prefer"],
    [["--db=sqlite:a", "--db-path=b"], "--db says a and --db-path says b"],
    [["-d", "postgres://u:secret@h/d"], "--db-path is a URL; it must be a path, give the URL to --db"],
    [["sessions", "add", "a", "http://h", "-d", "sqlite:a.db"], "--db-path is a URL"],
    [["--prot", "1"], "did you mean --port?"],
    [["session"], "did you mean ss-proxy sessions?"],
    [["sessions", "delete", "a"], "did you mean ss-proxy sessions remove?"],
    [["sessions", "add", "a"], "sessions add needs URL"],
  ])("in %j is one line, and exit code 2", async (args, message) => {
    const { code, line } = await failureOf(args)
    expect(code).toBe(2)
    expect(line).toContain(message)
    expect(line).not.toContain("secret")
  })

  it.concurrent.each([
    ["SS_PROXY_PORT", "http"],
    ["SS_PROXY_IDLE_TIMEOUT", "-1"],
    ["SS_PROXY_LOG_LEVEL", "loud"],
    ["SS_PROXY_DB", "mysql://h"],
  ])("in %s is told by the variable's name", async (name, value) => {
    const { code, line } = await failureOf([], { env: { [name]: value } })
    expect(code).toBe(2)
    expect(line).toContain(`${name} is "${value}"; `)
  })
})

describe("a variable of the proxy that cannot be read", () => {
  it("is nothing to a command that is not the proxy", async () => {
    const { code, stdout, stderr } = await runProgram(["sessions", "list", "--json"], {
      cwd: temporaryFolder(),
      env: { SS_PROXY_PORT: "http" },
    })
    expect({ code, stdout, failed: stderr.includes("SS_PROXY_PORT") }).toEqual({
      code: 0,
      stdout: "[]\n",
      failed: false,
    })
  })
})

describe("an error with --json", () => {
  const errorOf = async (...args: ReadonlyArray<string>) => {
    const { code, stdout, stderr } = await runProgram(args, { cwd: temporaryFolder() })
    expect(stdout).toBe("")
    expect(stderr).toMatch(/^[^\n]+\n$/)
    return { exit: code, ...(JSON.parse(stderr) as { readonly error: object }).error }
  }

  it.each([
    [["sessions", "show", "a", "--json"], 1, "session_not_found"],
    [["--json", "sessions", "list", "-d", "/nowhere/x.db"], 1, "store_unavailable"],
    [["sessions", "lst", "--json"], 2, "usage_error"],
    [["run", "--port", "x", "--json"], 2, "usage_error"],
  ])("is JSON on standard error: %j", async (args, exit, code) => {
    expect(await errorOf(...args)).toMatchObject({ exit, code, message: expect.any(String) })
  })

  it("is a line of text where --json is an argument, or off", async () => {
    for (const words of [
      ["--", "--json"],
      ["a", "--json=off"],
    ])
      expect((await failureOf(["sessions", "show", ...words], { cwd: temporaryFolder() })).code).toBe(1)
  })
})

describe("several mistakes", () => {
  it("are told one at a time, the first first", async () => {
    const { code, line } = await failureOf(["--port", "a  b", "--timeout", "soon"])
    expect({ code, line }).toEqual({
      code: 2,
      line: 'ss-proxy: --port is "a  b"; it must be a whole number from 0 to 65535',
    })
  })
})

describe("a new session", () => {
  it.concurrent.each([
    ["a reserved id", ["health", "h:1"], /"health" is reserved/],
    ["the other reserved id", ["ws", "h:1"], /"ws" is reserved/],
    ["an empty id", ["", "h:1"], /cannot be empty/],
    ["a URL with a query", ["a", "http://h/?q"], /"http:\/\/h\/\?\*\*\*" cannot be used: it has a query/],
    ["a URL with a fragment", ["a", "http://h/#f"], /it has a fragment/],
    ["a URL with another scheme", ["a", "ftp://u:secret@h"], /its scheme is "ftp"/],
    ["an empty URL", ["a", ""], /it is empty/],
  ])("is refused for %s, with exit code 1", async (_, words, message) => {
    const { code, line } = await failureOf(["sessions", "add", ...words, "-d", "/nowhere/x.db"])
    expect(code).toBe(1)
    expect(line).toMatch(message)
    expect(line).not.toContain("secret")
  })
})

describe("a database that cannot be used", () => {
  const listing = (path: string) => failureOf(["sessions", "list", "-d", path])

  it("is a clear failure where it is no database, a folder, or in no folder", async () => {
    const folder = temporaryFolder()
    const text = join(folder, "text.db")
    writeFileSync(text, "this is not a database, but it is long enough to look like one".repeat(20))
    for (const path of [text, folder, join(folder, "nowhere", "x.db")]) {
      const { code, line } = await listing(path)
      expect(code).toBe(1)
      expect(line).toContain(path.replace(/\/nowhere.*/, ""))
      expect(line).toContain("; ")
    }
  })

  it("is a clear failure where its table is not ours", async () => {
    const path = join(temporaryFolder(), "other.db")
    const other = new Database(path)
    other.exec("CREATE TABLE sessions (name TEXT)")
    other.close()
    const { code, line } = await listing(path)
    expect(code).toBe(1)
    expect(line).toContain(path)
  })
})

describe("which database is used", () => {
  it("is decided by the flag before the variable, and by the variable before the default", async () => {
    const cwd = temporaryFolder()
    const env = { SS_PROXY_DB_PATH: "by-variable.db" }
    await runProgram(["sessions", "add", "flag", "h:1", "-d", "by-flag.db"], { cwd, env })
    await runProgram(["sessions", "add", "variable", "h:1"], { cwd, env })
    await runProgram(["sessions", "add", "default", "h:1"], { cwd })
    const idsIn = async (file: string) => {
      const { stdout } = await runProgram(["--db", `sqlite:${file}`, "sessions", "export"], { cwd, env })
      return (JSON.parse(stdout) as ReadonlyArray<{ readonly id: string }>).map(({ id }) => id)
    }
    expect(await idsIn("by-flag.db")).toEqual(["flag"])
    expect(await idsIn("by-variable.db")).toEqual(["variable"])
    expect(await idsIn("sessions.db")).toEqual(["default"])
  })
})
