// The cost of the two reads that a request may wait for, by each library for SQLite that this Node has, and by a client of
// @effect/sql: CPU time in microseconds, the median of seven rounds that alternate between them. Then what a row of an
// import costs. `npm run bench:sqlite`.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import { Context, Layer, ManagedRuntime } from "effect"
import { importSources } from "../sources.mjs"

const rows = 10_000
const reads = 5_000
const rounds = 7

/** What the proxy itself opens databases with. */
const { loadBetterSqlite, loadNodeSqlite, openBetter, openNode, openSqliteClient } = await importSources(
  ["BetterSqlite", "NodeSqlite", "SqliteClient"].map((name) => `src/sessions/sqlite/${name}.ts`),
)
const folder = mkdtempSync(join(tmpdir(), "ss-proxy-sqlite-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

const openers = {
  "better-sqlite3": (path) => openBetter(loadBetterSqlite(), path, { timeout: 0 }),
  "node:sqlite": (path) => openNode(loadNodeSqlite(), path, { timeout: 0 }),
}

const microsecondsOf = async (count, work) => {
  const before = process.cpuUsage()
  for (let turn = 0; turn < count; turn++) await work(turn)
  const { system, user } = process.cpuUsage(before)
  return (system + user) / count
}

const table = `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
  CREATE TABLE sessions(session_id TEXT PRIMARY KEY NOT NULL, url TEXT NOT NULL)`
const fileOf = (name) => join(folder, `${name.replace(":", "-")}.db`)
const idOf = (read) => `session-${(read * 7919) % rows}`
const ways = {}
const imports = {}
for (const [name, open] of Object.entries(openers)) {
  const filename = fileOf(name)
  try {
    open(filename).exec(table)
  } catch {
    console.log(`${name} cannot be had on Node ${process.version}`)
    continue
  }
  const database = open(filename)
  const insert = database.prepare("INSERT INTO sessions VALUES (?, ?)")
  database.exec("BEGIN")
  imports[name] = await microsecondsOf(rows, (row) => insert.run(`session-${row}`, "http://127.0.0.1:1"))
  database.exec("COMMIT")
  const version = database.prepare("PRAGMA data_version").pluck()
  const find = database.prepare("SELECT * FROM sessions WHERE session_id = ?")
  ways[`version, ${name}`] = () => version.get()
  ways[`row, ${name}`] = (read) => find.get(idOf(read))
}

const [first] = Object.keys(imports)
const Sql = Context.GenericTag("sql")
const layer = Layer.scoped(Sql, openSqliteClient(fileOf(first), { timeout: 0 }))
const runtime = ManagedRuntime.make(Layer.provide(layer, Reactivity.layer))
const sql = await runtime.runPromise(Sql)
ways["version, @effect/sql"] = () => runtime.runPromise(sql`PRAGMA data_version`)
ways["row, @effect/sql"] = (read) => runtime.runPromise(sql`SELECT * FROM sessions WHERE session_id = ${idOf(read)}`)

const costs = new Map(Object.keys(ways).map((name) => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, way] of Object.entries(ways)) costs.get(name).push(await microsecondsOf(reads, way))
for (const [name, measured] of costs)
  console.log(`${name.padEnd(26)}${measured.toSorted((a, b) => a - b)[rounds >> 1].toFixed(1)} us`)
for (const [name, cost] of Object.entries(imports))
  console.log(`${`import, ${name}`.padEnd(26)}${cost.toFixed(1)} us a row`)
await runtime.dispose()
