import { Either, identity } from "effect"
import { loadBetterSqlite, openBetter } from "./BetterSqlite.js"
import { loadNodeSqlite, openNode } from "./NodeSqlite.js"
import type { Database, OpenOptions } from "./SqliteDatabase.js"

type Open = (path: string, options: OpenOptions) => Database

/** Whether better-sqlite3 is missing, was not built, or was built for another Node. */
const isUnloadable = (error: unknown): error is Error =>
  error instanceof Error &&
  (("code" in error && (error.code === "ERR_DLOPEN_FAILED" || error.code === "MODULE_NOT_FOUND")) ||
    error.message.includes("bindings file"))

/** Opens with Node's own SQLite. Throws what is wrong with better-sqlite3 where this Node has none. */
const withoutBetter = (error: Error): Open => {
  const library = loadNodeSqlite()
  if (library === undefined) throw error
  return (path, options) => openNode(library, path, options)
}

/** The package, or why there is none. Its native part is loaded when the first database is opened. */
const better = Either.try({ try: loadBetterSqlite, catch: (error) => error })

const openWithBetter: Open = (path, options) => openBetter(Either.getOrThrowWith(better, identity), path, options)

let chosen: Open | undefined

const choose: Open = (path, options) => {
  try {
    const database = openWithBetter(path, options)
    chosen = openWithBetter
    return database
  } catch (error) {
    if (!isUnloadable(error)) throw error
    chosen = withoutBetter(error)
    return chosen(path, options)
  }
}

/**
 * Opens a file: with better-sqlite3 where it is installed and can be loaded, otherwise with Node's own SQLite. `path` is absolute.
 * Throws what the library throws (`driverFault`, `sqliteErrorOf`).
 */
export const openDatabase: Open = (path, options) => (chosen ?? choose)(path, options)

/** An error of SQLite, whichever library it is from. */
export interface SqliteError {
  /** The name of the result code, such as `SQLITE_BUSY`, or of an extended one. */
  readonly code: string
  readonly message: string
}

// By number; node:sqlite does not have the names.
const primaryNames = (
  "ERROR INTERNAL PERM ABORT BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT NOTFOUND FULL CANTOPEN PROTOCOL EMPTY " +
  "SCHEMA TOOBIG CONSTRAINT MISMATCH MISUSE NOLFS AUTH FORMAT RANGE NOTADB"
).split(" ")

// Of the extended ones those that somebody asks for.
const extendedNames = new Map([
  [1555, "CONSTRAINT_PRIMARYKEY"],
  [2067, "CONSTRAINT_UNIQUE"],
])

const nameOf = (number: number): string =>
  `SQLITE_${extendedNames.get(number) ?? primaryNames[(number & 0xff) - 1] ?? number}`

/** What SQLite said; `undefined` for any other error. */
export const sqliteErrorOf = (error: unknown): SqliteError | undefined => {
  if (!(error instanceof Error && "code" in error)) return undefined
  const { code, message } = error
  if (typeof code === "string" && code.startsWith("SQLITE_")) return { code, message }
  return code === "ERR_SQLITE_ERROR" && "errcode" in error && typeof error.errcode === "number"
    ? { code: nameOf(error.errcode), message }
    : undefined
}

/** Explains to an operator that no library for SQLite can be loaded; `undefined` for any other error. */
export const driverFault = (error: unknown): { readonly problem: string; readonly hint: string } | undefined => {
  if (!isUnloadable(error)) return undefined
  if ("code" in error && error.code === "MODULE_NOT_FOUND")
    return {
      problem: `there is nothing to read the database with: Node ${process.version} has no SQLite that it can use, and better-sqlite3 is not installed`,
      hint: "Use Node 24, or run `npm install better-sqlite3@12` where ss-proxy is installed, with `-g` if it is installed so.",
    }
  const isForeign = "code" in error && error.code === "ERR_DLOPEN_FAILED"
  return {
    problem: isForeign
      ? `better-sqlite3, which reads the database, was not built for this Node (${process.version})`
      : "better-sqlite3, which reads the database, was not built",
    hint: "Build it with `npm rebuild better-sqlite3` where ss-proxy is installed, with the Node that is to run it.",
  }
}
