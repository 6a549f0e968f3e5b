import type { DatabaseSync, StatementSync } from "node:sqlite"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { type Database, KeptStatements, type OpenOptions, type Statement } from "./SqliteDatabase.js"

type Library = typeof import("node:sqlite")

/** The module `node:sqlite`; `undefined` where this Node has none, or one without the names of columns (before 22.16). */
export const loadNodeSqlite = (): Library | undefined => {
  const { emitWarning } = process
  // Node 22 warns of it on standard error at each start. What is used here is the same in Node 22 and 24.
  process.emitWarning = () => {}
  try {
    const library: Library = createRequire(import.meta.url)("node:sqlite")
    return "columns" in library.StatementSync.prototype ? library : undefined
  } catch {
    return undefined
  } finally {
    process.emitWarning = emitWarning
  }
}

type Value = unknown

/** A statement that gives rows as better-sqlite3 does. */
class NodeStatement implements Statement<ReadonlyArray<Value>, unknown> {
  readonly reader: boolean
  private plucks = false

  constructor(private readonly statement: StatementSync) {
    this.reader = statement.columns().length > 0
  }

  run(...parameters: ReadonlyArray<Value>): unknown {
    return this.statement.run(...parameters)
  }

  get(...parameters: ReadonlyArray<Value>): unknown {
    const row = this.statement.get(...parameters)
    return this.plucks && Array.isArray(row) ? row[0] : row
  }

  all(...parameters: ReadonlyArray<Value>): Array<unknown> {
    const rows = this.statement.all(...parameters)
    return this.plucks ? rows.map((row) => (Array.isArray(row) ? row[0] : row)) : rows
  }

  pluck(): this {
    this.plucks = true
    this.statement.setReturnArrays(true)
    return this
  }

  raw(on = true): this {
    this.statement.setReturnArrays(on)
    return this
  }

  columns(): ReadonlyArray<{ readonly name: string }> {
    return this.statement.columns()
  }
}

/** SQLite by Node itself. */
class NodeDatabase extends KeptStatements implements Database {
  constructor(private readonly database: DatabaseSync) {
    super((text) => new NodeStatement(database.prepare(text)))
  }

  get inTransaction(): boolean {
    return this.database.isTransaction
  }

  exec(text: string): void {
    this.database.exec(text)
  }

  close(): void {
    this.database.close()
  }
}

/** Opens a file with `node:sqlite`. `path` is absolute. */
export const openNode = (library: Library, path: string, options: OpenOptions): Database => {
  const { fileMustExist = false, readonly = false, timeout } = options
  const url = pathToFileURL(path)
  // Without this, SQLite makes a file that is absent.
  if (fileMustExist) url.searchParams.set("mode", readonly ? "ro" : "rw")
  return new NodeDatabase(new library.DatabaseSync(url, { readOnly: readonly, timeout }))
}
