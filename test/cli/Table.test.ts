import { describe, expect, it } from "@effect/vitest"
import { PassThrough } from "node:stream"
import { columnsOf } from "../../src/cli/sessions/ListColumns.js"
import { type Style, styleOf } from "../../src/cli/Style.js"
import { renderTable } from "../../src/cli/Table.js"
import { Session } from "../../src/domain/Session.js"
import { defaultPolicy } from "../../src/domain/SessionPolicy.js"

const streamOf = (isTTY: boolean): NodeJS.WriteStream =>
  // Only `isTTY` is looked at; a real terminal cannot be had in a test.
  Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.WriteStream

/** `lineWidth`: of a terminal; `undefined`: cut nothing. */
const sessionTable = (sessions: ReadonlyArray<Session>, style: Style, lineWidth: number | undefined): string => {
  const listed = sessions.map((session) => ({ session, idle: undefined, live: undefined }))
  return renderTable(columnsOf(listed, style, false), style, lineWidth)
}

const session = (id: string, url: string, status = "active") =>
  new Session({ id, url, status, createdAt: null, updatedAt: "2026-01-02 03:04:05" })

const sessions = [
  session("a", "http://user:secret@10.0.0.7:9000/base"),
  session("a-longer-id", `http://h/${"x".repeat(200)}`, "stopped"),
  session("evil\u001b[2J\n", "http://h"),
]

const plain = styleOf(streamOf(false))

describe("the table of sessions", () => {
  it("is aligned, without tabs, colours or anything cut when it goes to a pipe", () => {
    const lines = sessionTable(sessions, plain, undefined).split("\n")
    expect(lines).toHaveLength(4)
    const [title = "", first = "", second = ""] = lines
    expect(first.indexOf("active")).toBe(title.indexOf("STATUS"))
    expect(second.indexOf("stopped")).toBe(title.indexOf("STATUS"))
    expect(second).toContain("x".repeat(200))
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f]/)
  })

  it("fits the width of a terminal", () => {
    const lines = sessionTable(sessions, plain, 80).split("\n")
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80)
    expect(lines[2]).toContain("…")
  })

  it("has a column of policies where a session has one", () => {
    expect(sessionTable(sessions, plain, undefined)).not.toContain("POLICY")
    const lax = new Session({
      ...session("lax", "https://h"),
      policy: { ...defaultPolicy, insecure: true, wsPath: "full" },
    })
    const lines = sessionTable([session("a", "http://h"), lax], plain, undefined).split("\n")
    expect(lines[2]?.indexOf("insecure, ws-path full")).toBe(lines[0]?.indexOf("POLICY"))
    expect(lines[1]?.indexOf("http://h")).toBe(lines[0]?.indexOf("URL"))
  })

  it("may have more rows than a function has arguments", () => {
    const many = Array.from({ length: 200_000 }, () => session("a", "http://h"))
    expect(sessionTable(many, plain, undefined).split("\n")).toHaveLength(200_001)
  })

  it("never shows a password", () => {
    expect(sessionTable(sessions, plain, undefined)).not.toContain("secret")
    expect(sessionTable(sessions, plain, undefined)).toContain("http://***@10.0.0.7:9000/base")
  })

  it("has colours on a terminal only, and none where NO_COLOR is set", () => {
    const escape = "\u001b["
    const before = process.env["NO_COLOR"]
    try {
      delete process.env["NO_COLOR"]
      expect(sessionTable(sessions.slice(0, 1), styleOf(streamOf(true)), 80)).toContain(escape)
      expect(sessionTable(sessions.slice(0, 1), styleOf(streamOf(false)), 80)).not.toContain(escape)
      process.env["NO_COLOR"] = "1"
      expect(sessionTable(sessions.slice(0, 1), styleOf(streamOf(true)), 80)).not.toContain(escape)
    } finally {
      if (before === undefined) delete process.env["NO_COLOR"]
      else process.env["NO_COLOR"] = before
    }
  })
})
