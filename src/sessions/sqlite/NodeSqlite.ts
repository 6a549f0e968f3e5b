import type { DatabaseSync, StatementSync } from "node:sqlite"
import { createRequire } from "node:module"
import { pathToFileURL } from "node:url"
import { type Database, KeptStatements, type OpenOptions, type Statement } from "./SqliteDatabase.js"

type Library = typeof import("node:sqlite")

/** Whether a text arrives whole: Node 22 cuts it at a NUL, and pages of ids would never end. */
const givesWholeTexts = ({ DatabaseSync }: Library): boolean => {
  const database = new DatabaseSync(":memory:", { readOnly: false, timeout: 0 })
  const text = new NodeStatement(database.prepare("SELECT 'a' || char(0) || 'b'")).pluck().get()
  database.close()
  return text === "a\0b"
}

/** The module `node:sqlite`; `undefined` where this Node has none that can be used. */
export const loadNodeSqlite = (): Library | undefined => {
  const { emitWarning } = process
  // Node 22 warns of it on standard error when it is loaded.
  process.emitWarning = () => {}
  try {
    const library: Library = createRequire(import.meta.url)("node:sqlite")
    return givesWholeTexts(library) ? library : undefined
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
