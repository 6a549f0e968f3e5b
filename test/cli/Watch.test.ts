import { once } from "node:events"
import { setTimeout as pause } from "node:timers/promises"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { onDatabase, start } from "./Program.js"

describe("sessions watch", () => {
  it("prints what anybody stores and removes, of one prefix, until it is stopped", async () => {
    const { folder, sessions, sql } = onDatabase()
    await sessions("add", "a-1", "http://localhost:1")
    const child = start(["sessions", "watch", "--json", "--prefix", "a-", "-d", join(folder, "sessions.db")])
    onTestFinished(() => void child.kill("SIGKILL"))
    let printed = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text))
    const seen = () =>
      printed
        .split("\n")
        .slice(0, -1)
        .map((line): unknown => JSON.parse(line))
    // Nobody can tell when it has looked first, so that what changes is a change to it.
    const first = once(child.stdout, "data")
    for (let port = 2; seen().length === 0; port++) {
      sql(`UPDATE sessions SET downstream_server_url = 'http://localhost:${port}'`)
      await Promise.race([first, pause(200)])
    }
    expect(seen()[0]).toMatchObject({ event: "put", session: { id: "a-1", status: "active" } })
    const before = seen().length
    sql(
      "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES ('b-1', 'http://localhost:1', 'active')",
    )
    sql("DELETE FROM sessions WHERE session_id = 'a-1'")
    const isRemoved = () => JSON.stringify(seen().slice(before)).includes("remove")
    while (!isRemoved()) await once(child.stdout, "data")
    expect(seen().at(-1)).toEqual({ event: "remove", id: "a-1" })
    expect(printed).not.toContain("b-1")
    child.kill("SIGINT")
    expect(await once(child, "close")).toEqual([0, null])
  })
})
