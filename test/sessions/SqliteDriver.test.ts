import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { loadBetterSqlite, openBetter } from "../../src/sessions/sqlite/BetterSqlite.js"
import { loadNodeSqlite, openNode } from "../../src/sessions/sqlite/NodeSqlite.js"
import type { Database, OpenOptions } from "../../src/sessions/sqlite/SqliteDatabase.js"
import { driverFault, sqliteErrorOf } from "../../src/sessions/sqlite/SqliteDriver.js"

const folder = mkdtempSync(join(tmpdir(), "ss-proxy-driver-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Open = (path: string, options: OpenOptions) => Database

const isLoadable = (open: Open): boolean => {
  try {
    open(join(folder, "first.db"), { timeout: 0 }).close()
    return true
  } catch (error) {
    expect(driverFault(error)).toBeDefined()
    return false
  }
}

const node = loadNodeSqlite()
const better: Open = (path, options) => openBetter(loadBetterSqlite(), path, options)
/** The libraries that there are on this Node: `npm run test:nodes` has each of them tested. */
const libraries: ReadonlyArray<readonly [name: string, open: Open]> = [
  ...(isLoadable(better) ? [["better-sqlite3", better] as const] : []),
  ...(node === undefined
    ? []
    : [["node:sqlite", ((path, options) => openNode(node, path, options)) satisfies Open] as const]),
]

let files = 0
const newPath = () => join(folder, `a b?%#${files++}.db`)

const failureOf = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe.each(libraries)("a database by %s", (_, open) => {
  it("prepares a statement once, so that none becomes garbage", () => {
    const [one, other] = [open(newPath(), { timeout: 0 }), open(newPath(), { timeout: 0 })]
    const first = one.prepare("SELECT 1 AS it")
    expect(one.prepare("SELECT 1 AS it")).toBe(first)
    expect(one.prepare("SELECT 2 AS it")).not.toBe(first)
    expect(other.prepare("SELECT 1 AS it")).not.toBe(first)
    expect({ ...Object(first.get()) }).toEqual({ it: 1 })
  })

  it("tries again to prepare what could not be prepared", () => {
    const database = open(newPath(), { timeout: 0 })
    expect(() => database.prepare("SELECT * FROM later")).toThrow("no such table: later")
    database.exec("CREATE TABLE later (it)")
    expect(database.prepare("SELECT * FROM later").all()).toEqual([])
  })

  it("gives rows as objects, as arrays, and as the value of the first column", () => {
    const database = open(newPath(), { timeout: 0 })
    const bound = database.prepare("SELECT @one AS one, @two AS two")
    expect(bound.reader).toBe(true)
    expect(bound.columns().map(({ name }) => name)).toEqual(["one", "two"])
    expect({ ...Object(bound.get({ one: "x", two: 3 })) }).toEqual({ one: "x", two: 3 })
    const pair = database.prepare("SELECT 'a' AS one, ? AS two")
    expect(pair.raw().all(2)).toEqual([["a", 2]])
    expect({ ...Object(pair.raw(false).all(null)[0]) }).toEqual({ one: "a", two: null })
    const value = database.prepare("SELECT value FROM json_each(?)").pluck()
    expect(value.all("[1, 2]")).toEqual([1, 2])
    expect(value.get("[]")).toBeUndefined()
  })

  it("tells what gives no rows, and whether a transaction is open", () => {
    const database = open(newPath(), { timeout: 0 })
    expect(database.inTransaction).toBe(false)
    const begin = database.prepare("BEGIN IMMEDIATE")
    expect(begin.reader).toBe(false)
    begin.run()
    expect(database.inTransaction).toBe(true)
  })

  it("names what went wrong as SQLite does", () => {
    const path = newPath()
    const database = open(path, { timeout: 0 })
    database.exec("CREATE TABLE rows (id TEXT PRIMARY KEY NOT NULL, other UNIQUE, CHECK (id <> 'no'))")
    const add = database.prepare("INSERT INTO rows VALUES (?, ?)")
    add.run("a", 1)
    const codeOf = (work: () => unknown) => sqliteErrorOf(failureOf(work))?.code
    expect(sqliteErrorOf(failureOf(() => add.run("a", 2)))).toEqual(
      expect.objectContaining({ code: "SQLITE_CONSTRAINT_PRIMARYKEY", message: "UNIQUE constraint failed: rows.id" }),
    )
    expect(codeOf(() => add.run("b", 1))).toBe("SQLITE_CONSTRAINT_UNIQUE")
    expect(codeOf(() => add.run("no", 3))).toMatch(/^SQLITE_CONSTRAINT/)
    expect(codeOf(() => database.prepare("nonsense"))).toBe("SQLITE_ERROR")
    database.exec("BEGIN EXCLUSIVE")
    const other = open(path, { timeout: 0 })
    expect(codeOf(() => other.prepare("SELECT * FROM rows").all())).toBe("SQLITE_BUSY")
    const reader = open(path, { readonly: true, timeout: 0 })
    database.exec("COMMIT")
    expect(codeOf(() => reader.exec("DELETE FROM rows"))).toBe("SQLITE_READONLY")
  })

  it("makes a file only where that is asked for", () => {
    const path = newPath()
    const codeOf = (options: Omit<OpenOptions, "timeout">) =>
      sqliteErrorOf(failureOf(() => open(path, { ...options, timeout: 0 })))?.code
    expect(codeOf({ fileMustExist: true })).toBe("SQLITE_CANTOPEN")
    expect(codeOf({ readonly: true })).toBe("SQLITE_CANTOPEN")
    expect(codeOf({})).toBeUndefined()
    expect(codeOf({ fileMustExist: true })).toBeUndefined()
  })

  it("sees by its version what another connection has committed", () => {
    const path = newPath()
    const [writer, reader] = [open(path, { timeout: 0 }), open(path, { timeout: 0 })]
    const version = reader.prepare("PRAGMA data_version").pluck()
    const before = version.get()
    expect(version.get()).toBe(before)
    writer.exec("CREATE TABLE rows (id)")
    expect(version.get()).not.toBe(before)
  })
})

it("an operator is told what is missing where nothing can read a database", () => {
  const missing = Object.assign(new Error("Cannot find module 'better-sqlite3'"), { code: "MODULE_NOT_FOUND" })
  expect(driverFault(missing)).toEqual({
    problem: `there is nothing to read the database with: Node ${process.version} has no SQLite that it can use, and better-sqlite3 is not installed`,
    hint: "Use Node 24, or run `npm install better-sqlite3@12` where ss-proxy is installed, with `-g` if it is installed so.",
  })
})
