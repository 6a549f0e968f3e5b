import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { once } from "node:events"
import { connect } from "node:net"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { onDatabase, start } from "./Program.js"

/** A proxy whose log is read by the test, or not, as the test likes; `port` once it listens. */
const startProxy = async (...words: ReadonlyArray<string>) => {
  const { folder, sessions } = onDatabase()
  const database = join(folder, "sessions.db")
  await sessions("add", "dead", "http://127.0.0.1:1")
  const child = start(["run", "--host", "127.0.0.1", "--port", "0", "-d", database, ...words])
  onTestFinished(() => void child.kill("SIGKILL"))
  const log = { said: "" }
  const read = (text: string) => void (log.said += text)
  child.stderr.setEncoding("utf8").on("data", read)
  while (!/ port=\d+/.test(log.said)) await once(child.stderr, "data")
  return { child, database, log, port: Number(/ port=(\d+)/.exec(log.said)?.[1]) }
}

/** Sends requests that fail on one connection, each when the one before is answered; resolves with their status codes. */
const ask = async (port: number, targets: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const client = connect(port, "127.0.0.1")
  onTestFinished(() => void client.destroy())
  let came = ""
  client.setEncoding("latin1").on("data", (text: string) => (came += text))
  const codes: Array<string> = []
  for (const target of targets) {
    came = ""
    client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`, "latin1")
    while (!came.endsWith("}\n")) await once(client, "data")
    codes.push(came.slice(9, 12))
  }
  return codes
}

describe("the log of a proxy whose reader has stopped", () => {
  const flood = async (requests: number) => {
    const proxy = await startProxy("--log-level", "debug")
    proxy.child.stderr.pause()
    const codes = await ask(
      proxy.port,
      Array.from({ length: requests }, () => `/dead/${"x".repeat(8_000)}`),
    )
    expect(codes).toEqual(Array.from({ length: requests }, () => "502"))
    return proxy
  }

  it("waits in a bounded space, and tells how many lines are lost when it is read again", async () => {
    const { child, log } = await flood(3_000)
    child.stderr.resume()
    while (!/ dropped=\d+\n/.test(log.said)) await once(child.stderr, "data")
    const lost = Number(/lines of the log were dropped: .* dropped=(\d+)\n/.exec(log.said)?.[1])
    expect(log.said.match(/ failed /g)?.length).toBe(3_000 - lost)
    // Its own four mebibytes, and what two pipes and their readers hold.
    expect(log.said.length).toBeLessThan(5 * 1_048_576)
  }, 30_000)

  it("does not keep the proxy from stopping", async () => {
    const { child } = await flood(2_500)
    const ended = once(child, "exit")
    child.kill("SIGTERM")
    expect(await ended).toEqual([0, null])
  }, 30_000)
})

describe("a line of the log", () => {
  it("cuts a value that is very long, and says how long it was", async () => {
    const { child, log, port } = await startProxy()
    await ask(port, [`/dead/${"x".repeat(30_000)}`])
    while (!/ failed /.test(log.said)) await once(child.stderr, "data")
    expect(log.said).toMatch(/ target="\/dead\/x{2042}…\[30006 characters\]" /)
    expect(log.said).not.toContain("x".repeat(2_049))
  })

  it("spells out what is not seen or turns the text around, from the table as from clients", async () => {
    const { child, database, log, port } = await startProxy("--access-log", "json")
    const id = "a\u202eb\u200bc\u2028d\u{e0041}e\u0085f\u061cg\u3164h"
    const table = new Sqlite(database)
    table
      .prepare("INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, ?)")
      .run(id, "http://127.0.0.1:1", "active")
    table.close()
    await ask(port, [`/${encodeURIComponent(id)}/`, "/dead/\xe2\x80\xae"])
    while ((log.said.match(/duration_ms/g)?.length ?? 0) < 2) await once(child.stderr, "data")
    expect(log.said).toContain('session="a\\u202eb\\u200bc\\u2028d\\u{e0041}e\\x85f\\u061cg\\u3164h" ')
    expect(log.said).toContain('"session":"a\\u202eb\\u200bc\\u2028d\\udb40\\udc41e\\u0085f\\u061cg\\u3164h"')
    expect(log.said).toContain('"target":"/dead/\\u202e"')
    expect(log.said).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u)
  })
})

describe("what commands print", () => {
  it("spells out the same, and in JSON so that the value stays the same", async () => {
    const { sessions, sql } = onDatabase()
    const kept = "a\u202eb\u0085\u{e0041}"
    await sessions("add", "x", "http://h")
    sql(`UPDATE sessions SET session_id = '${kept}'`)
    for (const words of [["list"], ["show", kept], ["list", "--json"], ["export"]]) {
      const { stdout } = await sessions(...words)
      expect(stdout).toContain("\\u202e")
      expect(stdout).not.toMatch(/[\u0080-\u009f\p{Cf}]/u)
      if (stdout.startsWith("[")) expect(JSON.parse(stdout)).toMatchObject([{ id: kept }])
    }
    const { stderr } = await sessions("set", kept, "--status", "\u202epaused")
    expect(stderr).toContain("\\u202epaused")
    expect(stderr).not.toMatch(/[\u0080-\u009f\p{Cf}]/u)
  }, 30_000)
})
