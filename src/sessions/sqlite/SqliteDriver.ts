import Sqlite from "better-sqlite3"

/** Every database on which this process prepared a statement, with its statements by their text. */
const kept = new Map<Sqlite.Database, Map<string, Sqlite.Statement>>()

const prepareAnew = Sqlite.prototype.prepare

/** Prepares each text once per database. A failed preparation is tried again the next time. */
function prepareOnce(this: Sqlite.Database, text: string): Sqlite.Statement {
  const statements = kept.get(this) ?? new Map<string, Sqlite.Statement>()
  kept.set(this, statements)
  const statement = statements.get(text) ?? prepareAnew.call(this, text)
  statements.set(text, statement)
  return statement
}

/*
 * With better-sqlite3 12 compiled for Node 24.19 or later, the process aborts when the garbage collector collects a
 * statement or a database while no JavaScript runs: node::ObjectWrap then asks for an environment that is not there.
 * (better-sqlite3 13 does not use ObjectWrap any more, and does not run on Node 20.) So none of them may ever become
 * garbage. Each file has about a dozen; a closed database has released what SQLite allocated for it.
 *
 * The prototype is patched because @effect/sql-sqlite-node prepares statements, too.
 */
Object.defineProperty(Sqlite.prototype, "prepare", { value: prepareOnce })

export { Sqlite }
