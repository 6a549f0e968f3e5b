// Every database that a test opens by itself is kept, and its statements, for the reason that
// src/sessions/sqlite/BetterSqlite.ts gives.
import Sqlite from "better-sqlite3"

const kept: Array<unknown> = []
const { close, prepare } = Sqlite.prototype

Object.defineProperty(Sqlite.prototype, "close", {
  value: function (this: Sqlite.Database) {
    kept.push(this)
    return close.call(this)
  },
})

Object.defineProperty(Sqlite.prototype, "prepare", {
  value: function (this: Sqlite.Database, text: string) {
    const statement = prepare.call(this, text)
    kept.push(statement)
    return statement
  },
})
