// Every database that a test opens is kept, for the reason that src/sessions/sqlite/SqliteDriver.ts gives.
import { Sqlite } from "../../src/sessions/sqlite/SqliteDriver.js"

const kept: Array<Sqlite.Database> = []
const close = Sqlite.prototype.close

Object.defineProperty(Sqlite.prototype, "close", {
  value: function (this: Sqlite.Database) {
    kept.push(this)
    return close.call(this)
  },
})
