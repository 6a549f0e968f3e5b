import { basename, dirname, join, relative } from "node:path"

/** A path as it is shortest to type from here. */
const shortest = (path: string): string => {
  const fromHere = relative(process.cwd(), path)
  return fromHere.length < path.length ? fromHere : path
}

/** How whoever runs this program can run it again, for command lines to copy: it may not be installed. */
export const programName = (): string => {
  const script = process.argv[1] ?? ""
  const name = basename(script)
  if (name === "bin.js") return `node ${shortest(script)}`
  // `npm start`
  if (name === "start.mjs") return `node ${shortest(join(dirname(script), "..", "dist", "bin.js"))}`
  return "ss-proxy"
}

/** The flag that names a database, with a space before it; nothing for the default one. */
export const databaseFlag = (filename: string): string =>
  filename === "./sessions.db" ? "" : ` -d ${/^[\w./@:-]+$/.test(filename) ? filename : `'${filename}'`}`
