// Stands in for better-sqlite3 in tests that write as another program does, where it was built for another version of Node
// (vitest.config.ts).
import { loadNodeSqlite, openNode } from "../../src/sessions/sqlite/NodeSqlite.js"
import type { Database, OpenOptions, Statement } from "../../src/sessions/sqlite/SqliteDatabase.js"

const open = (path: string, options: Partial<OpenOptions>): Database => {
  const library = loadNodeSqlite()
  if (library === undefined) throw new Error("This Node has no SQLite, and better-sqlite3 was not built for it.")
  return openNode(library, path, { timeout: 5_000, ...options })
}

class SqliteError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message)
  }
}

export default class NodeSqliteProgram {
  static readonly SqliteError = SqliteError
  private opened: Database | undefined

  constructor(
    private readonly path: string,
    private readonly options: Partial<OpenOptions> = {},
  ) {}

  private get database(): Database {
    this.opened ??= open(this.path, this.options)
    return this.opened
  }

  prepare(text: string): Statement<ReadonlyArray<unknown>, unknown> {
    return this.database.prepare(text)
  }

  pragma(text: string): unknown {
    return this.database.prepare(`PRAGMA ${text}`).pluck().get()
  }

  exec(text: string): void {
    this.database.exec(text)
  }

  close(): void {
    this.opened?.close()
  }
}
