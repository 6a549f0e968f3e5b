import { Clock, Effect, Either } from "effect"
import { statfsSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { layerSqlite } from "../../sessions/sqlite/SqliteSessionRepo.js"
import { probeSqlite, type SqliteProbe, tryToWrite } from "../../sessions/sqlite/SqliteProbe.js"
import { isAbsent, type SqliteDatabase } from "../Database.js"
import { databaseFlag, programName, quoted } from "../ProgramName.js"
import { sizeText } from "../../log/Amounts.js"
import { countInWords, inWords } from "../InWords.js"
import { type Finding, findingsOf, unavailable } from "./Finding.js"

/** Free space below which there is something to do soon, and at once; bytes. A log or a burst of changes fills less. */
const scarce = 256 * 1024 ** 2
const tooLittle = 16 * 1024 ** 2

/** A log of changes that is longer is not being taken into the file: some program reads for ever. Bytes. */
const longLog = 256 * 1024 ** 2

/** A newest row that is so far ahead of the clock is no rounding. Milliseconds. */
const clockMargin = 2_000

/** Whether the database can be opened, and holds what a proxy needs. Changes nothing. */
const contentOf = ({ filename }: SqliteDatabase): Effect.Effect<Finding> =>
  Effect.flatMap(SessionRepo, ({ tally }) => tally).pipe(
    Effect.provide(layerSqlite({ filename, readonly: true })),
    Effect.match({
      onFailure: (error) => unavailable("database", error),
      onSuccess: ({ forwarding, others }) => {
        const sessions = countInWords(forwarding + others, "session")
        return findingsOf("database").ok(`${filename}: ${sessions}, ${forwarding} of a status that forwards`)
      },
    }),
  )

const writing = ({ filename }: SqliteDatabase): Effect.Effect<Finding> =>
  Effect.match(tryToWrite(filename), {
    onFailure: (error) => unavailable("writing", error),
    onSuccess: () => findingsOf("writing").ok("the database can be written, and nobody holds its lock"),
  })

const journal = ({ journalMode, walBytes }: SqliteProbe): Finding => {
  const { ok, warn } = findingsOf("journal")
  if (journalMode !== "wal")
    return warn(
      `its journal mode is ${journalMode}, in which readers and writers wait for each other`,
      'nothing, if no proxy has used the file yet; else find the program that changed it: sqlite3 FILE "PRAGMA journal_mode=WAL"',
    )
  if (walBytes > longLog)
    return warn(
      `the log of changes (-wal) has ${sizeText(walBytes)}: some program has been reading for long`,
      "end its transaction; `fuser FILE` names programs that have the file open",
    )
  return ok(`its journal mode is WAL; the log of changes has ${sizeText(walBytes)}`)
}

const clock = ({ newest }: SqliteProbe, now: number): Finding => {
  const { ok, warn } = findingsOf("clock")
  if (newest <= now + clockMargin) return ok("no row is newer than the clock of this machine")
  return warn(
    `the clock of this machine is ${inWords(newest - now)} behind the newest row`,
    "set it (timedatectl), here or where that row was written: drains and idle times go by it",
  )
}

const space = ({ filename }: SqliteDatabase): Finding => {
  const { fail, ok, warn } = findingsOf("disk")
  const folder = dirname(resolve(filename))
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  const message = `${sizeText(free)} free in ${folder}`
  if (free < tooLittle) return fail(message, "make room there: sessions cannot be added or changed on a full disk")
  return free < scarce ? warn(message, "make room there") : ok(message)
}

const readers = ({ filename }: SqliteDatabase): Finding => {
  const { ok, warn } = findingsOf("readers")
  const mode = statSync(filename).mode & 0o777
  if ((mode & 0o007) === 0) return ok("not everybody on this machine may read the database")
  return warn(
    `everybody on this machine may read the database (mode 0${mode.toString(8)}), and URLs may hold passwords`,
    `chmod o= ${quoted(filename)}*`,
  )
}

const attempt = (check: string, look: () => Finding): Finding =>
  Either.getOrElse(Either.try(look), () => findingsOf(check).warn("this cannot be checked here", "check it yourself"))

/** All that is to be known of the database. One that is missing is not made. */
export const sqliteChecks = (database: SqliteDatabase): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const { filename } = database
    if (isAbsent(database))
      return [
        findingsOf("database").fail(
          `there is no ${filename}`,
          `if it was lost, put a backup in its place; ${programName()} sessions add my-session http://localhost:9000${databaseFlag(database)} makes a new one; --db-path names another`,
        ),
      ]
    const content = yield* contentOf(database)
    if (content.result === "fail") return [content]
    const probe = yield* Effect.either(probeSqlite(filename))
    const now = yield* Clock.currentTimeMillis
    const probed = Either.match(probe, {
      onLeft: (error) => [unavailable("journal", error)],
      onRight: (found) => [journal(found), clock(found, now)],
    })
    // Windows has other rights, of which the mode of a file says nothing.
    const rights = process.platform === "win32" ? [] : [attempt("readers", () => readers(database))]
    return [content, yield* writing(database), ...probed, attempt("disk", () => space(database)), ...rights]
  })
