import { describe, expect, it } from "vitest"
import { Sqlite } from "../../src/sessions/sqlite/SqliteDriver.js"

describe("a statement of SQLite", () => {
  it("is prepared once for a database, so that none becomes garbage", () => {
    const [one, other] = [new Sqlite(":memory:"), new Sqlite(":memory:")]
    const first = one.prepare("SELECT 1 AS it")
    expect(one.prepare("SELECT 1 AS it")).toBe(first)
    expect(one.prepare("SELECT 2 AS it")).not.toBe(first)
    expect(other.prepare("SELECT 1 AS it")).not.toBe(first)
    expect(first.get()).toEqual({ it: 1 })
  })

  it("that could not be prepared is tried again", () => {
    const database = new Sqlite(":memory:")
    expect(() => database.prepare("SELECT * FROM later")).toThrow("no such table")
    database.exec("CREATE TABLE later (it)")
    expect(database.prepare("SELECT * FROM later").all()).toEqual([])
  })
})
