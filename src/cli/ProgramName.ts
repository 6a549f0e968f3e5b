import { basename, dirname, join, relative } from "node:path"

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

/** The flag that names a database, with a space before it; empty for the default database. */
export const databaseFlag = (filename: string): string =>
  filename === "./sessions.db" ? "" : ` -d ${/^[\w./@:-]+$/.test(filename) ? filename : `'${filename}'`}`
