import Sqlite from "better-sqlite3"

/** Every database that was opened in this process, with the statements that were prepared on it, by their text. */
const kept = new Map<Sqlite.Database, Map<string, Sqlite.Statement>>()

const prepareAnew = Sqlite.prototype.prepare

/** A statement is prepared once; one that could not be is tried again. */
function prepareOnce(this: Sqlite.Database, text: string): Sqlite.Statement {
  const statements = kept.get(this) ?? new Map<string, Sqlite.Statement>()
  kept.set(this, statements)
  const statement = statements.get(text) ?? prepareAnew.call(this, text)
  statements.set(text, statement)
  return statement
}

/*
 * Where better-sqlite3 12 was compiled for Node 24.19 or later, the process aborts when the garbage collector comes upon a
 * statement or a database of it while no JavaScript runs: node::ObjectWrap then asks for an environment that is not there.
 * (better-sqlite3 13 is not an ObjectWrap any more, and does not run on Node 20.) So none may ever be garbage. There are a
 * dozen of them for each file; a closed database has given back what SQLite took for it.
 *
 * Here and not where we prepare statements, because @effect/sql-sqlite-node does so, too.
 */
Object.defineProperty(Sqlite.prototype, "prepare", { value: prepareOnce })

export { Sqlite }
