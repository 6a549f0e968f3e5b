// The cost of the two reads that a request may wait for, on each of the two connections of a store: CPU time in
// microseconds, the median of seven rounds that alternate between them. `npm run bench:sqlite`.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import Database from "better-sqlite3"
import { Effect, ManagedRuntime } from "effect"

const rows = 10_000
const reads = 5_000
const rounds = 7

const folder = mkdtempSync(join(tmpdir(), "ss-proxy-sqlite-"))
const filename = join(folder, "sessions.db")
const database = new Database(filename)
database.pragma("journal_mode = WAL")
database.exec("CREATE TABLE sessions(session_id TEXT PRIMARY KEY NOT NULL, url TEXT NOT NULL)")
const insert = database.prepare("INSERT INTO sessions VALUES (?, ?)")
database.transaction(() => {
  for (let row = 0; row < rows; row++) insert.run(`session-${row}`, "http://127.0.0.1:1")
})()

const runtime = ManagedRuntime.make(SqliteClient.layer({ filename }))
const sql = await runtime.runPromise(SqlClient.SqlClient)
const version = database.prepare("PRAGMA data_version").pluck()
const find = database.prepare("SELECT * FROM sessions WHERE session_id = ?")
const idOf = (read) => `session-${(read * 7919) % rows}`

const ways = {
  "version, directly": () => version.get(),
  "version, @effect/sql": () => runtime.runPromise(sql`PRAGMA data_version`),
  "row, directly": (read) => find.get(idOf(read)),
  "row, @effect/sql": (read) => runtime.runPromise(sql`SELECT * FROM sessions WHERE session_id = ${idOf(read)}`),
}

const microseconds = async (way) => {
  const before = process.cpuUsage()
  for (let read = 0; read < reads; read++) await way(read)
  const { system, user } = process.cpuUsage(before)
  return (system + user) / reads
}

const costs = new Map(Object.keys(ways).map((name) => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, way] of Object.entries(ways)) costs.get(name).push(await microseconds(way))
for (const [name, measured] of costs)
  console.log(`${name.padEnd(22)}${measured.toSorted((a, b) => a - b)[rounds >> 1].toFixed(1)} us`)

await Effect.runPromise(runtime.disposeEffect)
// Garbage collection of a statement while no JavaScript runs aborts some versions of Node: see
// src/sessions/sqlite/SqliteDriver.ts.
globalThis.kept = [database, version, find, insert]
rmSync(folder, { recursive: true, force: true })
