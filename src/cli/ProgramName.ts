import { basename, dirname, join, relative } from "node:path"

/** How whoever runs this program can run it again, for command lines to copy: it may not be installed. */
export const programName = (): string => {
  const script = process.argv[1] ?? ""
  const name = basename(script)
  if (name === "bin.js") return `node ${relative(process.cwd(), script)}`
  // `npm start`
  if (name === "start.mjs") return `node ${relative(process.cwd(), join(dirname(script), "..", "dist", "bin.js"))}`
  return "ss-proxy"
}

/** The flag that names a database, with a space before it; nothing for the default one. */
export const databaseFlag = (filename: string): string =>
  filename === "./sessions.db" ? "" : ` -d ${/^[\w./@:-]+$/.test(filename) ? filename : `'${filename}'`}`
