import { realpathSync } from "node:fs"
import { basename, dirname, join, relative, sep } from "node:path"
import type { Database } from "./Database.js"

/** The relative or the absolute path, whichever is shorter. */
const shortest = (path: string): string => {
  const fromHere = relative(process.cwd(), path)
  return fromHere.length < path.length ? fromHere : path
}

/** The file of the program that runs: `scripts/start.mjs` is there to load it. */
const programFile = (): string => {
  const script = process.argv[1] ?? ""
  return basename(script) === "start.mjs" ? join(dirname(script), "..", "dist", "bin.js") : script
}

const resolved = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** The file of a worker's program. It is looked for each time: the name of the program may lead to another version by then. */
export const workerFile = (): string => join(dirname(resolved(programFile())), "worker.js")

/** Whether npm has put the file into `node_modules/.bin` of this folder or of one above: there `npx` finds it. */
const isFoundByNpx = (script: string, folder: string): boolean => {
  const commands = dirname(script)
  const modules = dirname(commands)
  if (basename(commands) !== ".bin" || basename(modules) !== "node_modules") return false
  const [first] = relative(dirname(modules), folder).split(sep)
  return first !== ".."
}

/**
 * The command that runs this program again, for command lines to copy: it may not be installed as `ss-proxy`.
 *
 * @param script - the file that was run
 * @param folder - where the command is to be copied to
 */
export const programName = (script = process.argv[1] ?? "", folder = process.cwd()): string => {
  if (["bin.js", "start.mjs"].includes(basename(script))) return `node ${shortest(programFile())}`
  return isFoundByNpx(script, folder) ? "npx ss-proxy" : "ss-proxy"
}

/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w./@:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** The flag that names a database, with a space before it; empty for the default database. */
export const databaseFlag = (database: Database): string => {
  if (database._tag === "Postgres") return ` --db ${quoted(database.shown)}`
  return database.filename === "./sessions.db" ? "" : ` -d ${quoted(database.filename)}`
}
