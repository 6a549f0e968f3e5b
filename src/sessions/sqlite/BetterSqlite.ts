import type Sqlite from "better-sqlite3"
import { realpathSync } from "node:fs"
import { createRequire } from "node:module"
import { type Database, KeptStatements, type OpenOptions } from "./SqliteDatabase.js"

/** The package itself. Throws where it is not installed. */
export const loadBetterSqlite = (): typeof Sqlite => {
  const require = createRequire(import.meta.url)
  // Without links: pnpm and `npm link` put a link here, and what the package itself needs is beside the target of it.
  return require(realpathSync(require.resolve("better-sqlite3")))
}

/**
 * Every database that this process has opened.
 *
 * With better-sqlite3 12 compiled for Node 24.19 or later, the process aborts when the garbage collector collects a
 * statement or a database while no JavaScript runs: node::ObjectWrap then asks for an environment that is not there.
 * (better-sqlite3 13 does not use ObjectWrap any more, and does not run on Node 20.) So none of them may ever become
 * garbage. Each file has about a dozen statements; a closed database has released what SQLite allocated for it.
 */
const kept: Array<Database> = []

/** SQLite by better-sqlite3. */
class BetterDatabase extends KeptStatements implements Database {
  constructor(private readonly database: Sqlite.Database) {
    super((text) => database.prepare<Array<unknown>, unknown>(text))
    kept.push(this)
  }

  get inTransaction(): boolean {
    return this.database.inTransaction
  }

  exec(text: string): void {
    this.database.exec(text)
  }

  close(): void {
    this.database.close()
  }
}

/** Opens a file with better-sqlite3. Throws `ERR_DLOPEN_FAILED`, or of a bindings file, where its native part cannot be loaded. */
export const openBetter = (library: typeof Sqlite, path: string, options: OpenOptions): Database =>
  new BetterDatabase(new library(path, options))
