import { basename, dirname, join, relative } from "node:path"
import type { Database } from "./Database.js"

/** The relative or the absolute path, whichever is shorter. */
const shortest = (path: string): string => {
  const fromHere = relative(process.cwd(), path)
  return fromHere.length < path.length ? fromHere : path
}

/** The command that runs this program again, for command lines to copy: it may not be installed as `ss-proxy`. */
export const programName = (): string => {
  const script = process.argv[1] ?? ""
  const name = basename(script)
  if (name === "bin.js") return `node ${shortest(script)}`
  // `npm start`
  if (name === "start.mjs") return `node ${shortest(join(dirname(script), "..", "dist", "bin.js"))}`
  return "ss-proxy"
}

const quoted = (word: string): string => (/^[\w./@:-]+$/.test(word) ? word : `'${word}'`)

/** The flag that names a database, with a space before it; empty for the default database. */
export const databaseFlag = (database: Database): string => {
  if (database._tag === "Postgres") return ` --db ${quoted(database.shown)}`
  return database.filename === "./sessions.db" ? "" : ` -d ${quoted(database.filename)}`
}
