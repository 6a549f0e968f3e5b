import { Effect, Layer, type Scope } from "effect"
import { closeSync, fchmodSync, fchownSync, openSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { nextTurn } from "../../clock/NextTurn.js"
import { sliceTime } from "../../clock/Slices.js"
import { StoreUnavailable } from "../../domain/ProxyError.js"
import { activityFileOf, ActivityStore, pageSize } from "../ActivityStore.js"
import { type FilePlace, isSameFile, placeOf } from "../FilePlace.js"
import type { StoredActivity } from "../SessionActivity.js"
import { type ActivityTable, openTable } from "./SqliteActivityTable.js"
import type { Database } from "./SqliteDatabase.js"
import { openDatabase, sqliteErrorOf } from "./SqliteDriver.js"
import { storeFault, whileBusy } from "./SqliteFault.js"
import { isWritable, usablePath } from "./SqlitePath.js"

export interface SqliteActivityOptions {
  /** Path of the database of sessions; `activityFileOf` names the file beside it. */
  readonly sessions: string
  /** Nothing is made or changed. */
  readonly readonly?: boolean
}

/**
 * Activity in an SQLite file beside that of the sessions. The layer itself does not fail: the file is opened when it is needed,
 * made where it is missing, and tried again each time where it could not be used.
 */
export const layerSqlite = ({ sessions, readonly = false }: SqliteActivityOptions): Layer.Layer<ActivityStore> =>
  Layer.scoped(ActivityStore, make(sessions, readonly))

// How long this process stands still for a lock, in milliseconds, and how long it tries again after a rest.
const busyTimeout = 2
const patience = 1_000

const moveAway = "Move it away: another is made in its place."

interface Explanation {
  /** Of the driver's code and message. */
  readonly pattern: RegExp
  /** Completes a sentence that begins with the file; absent where it is as with the file of sessions. */
  readonly problem?: string
  readonly hint: string
}

/** What is otherwise than with the file of sessions. The first that matches counts. */
const explanations: ReadonlyArray<Explanation> = [
  { pattern: /^SQLITE_(NOTADB|CORRUPT)/, hint: moveAway },
  { pattern: /^SQLITE_ERROR no such table/, problem: "holds no session_activity table", hint: moveAway },
  {
    pattern: /^SQLITE_(ERROR|CONSTRAINT)/,
    problem: "holds a session_activity table that is not the proxy's",
    hint: moveAway,
  },
]

/** What an error of the driver means to an operator. */
const faultOf = (filename: string) => {
  const fault = storeFault(filename)
  return (error: unknown): StoreUnavailable => {
    const sqlite = sqliteErrorOf(error)
    const described = sqlite === undefined ? "" : `${sqlite.code} ${sqlite.message}`
    const found = explanations.find(({ pattern }) => pattern.test(described))
    const { problem } = fault(error)
    if (found === undefined) return fault(error)
    const { problem: own, hint } = found
    return new StoreUnavailable({ problem: own === undefined ? problem : `${filename} ${own}`, hint, cause: error })
  }
}

const lossOf = (filename: string): string =>
  `${filename} was removed or replaced: from now on what stands there is used. When sessions were active before is lost, as ` +
  "far as the old file alone held it."

/**
 * Makes the file as secret as that of the sessions, for it names them all; where root makes it, for the one whose sessions
 * they are. SQLite itself does so for what it keeps beside a database, and says what is wrong where this cannot be done.
 */
const makeLike = (path: string, sessions: string): void => {
  try {
    const { mode, uid, gid } = statSync(sessions)
    const made = openSync(path, "ax", mode & 0o666)
    try {
      // By its descriptor: who may write into the folder could put another file at the path meanwhile.
      fchmodSync(made, mode & 0o666)
      if (process.getuid?.() === 0) fchownSync(made, uid, gid)
    } finally {
      closeSync(made)
    }
  } catch {
    return
  }
}

/** What is open: a database whose table may not have been usable yet. */
interface Opened {
  readonly database: Database
  place: FilePlace
  table: ActivityTable | undefined
}

/**
 * The file, opened where it is needed. A file that was removed or replaced is let go of before anything is written: it is
 * looked at each time. A database that was opened is never opened again while its file is there, whatever is wrong with
 * it, for none may be garbage (`BetterSqlite.ts`).
 */
class ActivityFile {
  readonly filename: string
  private readonly path: string
  private opened: Opened | undefined
  private isLost = false

  constructor(
    private readonly sessions: string,
    private readonly readonly: boolean,
  ) {
    this.filename = activityFileOf(sessions)
    this.path = resolve(this.filename)
  }

  /** Runs this on the table of the file that stands there now. */
  use<A>(use: (table: ActivityTable) => A): Effect.Effect<A, unknown> {
    return Effect.suspend(() => {
      this.look()
      const table = this.opened?.table
      if (table !== undefined) return Effect.try({ try: () => use(table), catch: (error) => error })
      // What SQLite makes beside a file that it may not write would be in the way when it may.
      return Effect.zipRight(usablePath(this.filename, this.readonly), this.ownPath).pipe(
        Effect.zipRight(Effect.try({ try: () => use(this.open()), catch: (error) => error })),
      )
    })
  }

  /** Every commit to the database of sessions has all proxies read their rows again, so it must not be that, by a link. */
  private get ownPath(): Effect.Effect<void, StoreUnavailable> {
    return Effect.suspend(() =>
      isSameFile(placeOf(this.path), placeOf(this.sessions))
        ? new StoreUnavailable({
            problem: `${this.filename} is the database of sessions itself`,
            hint: "Remove that link: the proxy makes a file of its own there.",
          })
        : Effect.void,
    )
  }

  private look(): void {
    const { opened, path } = this
    if (opened === undefined || isSameFile(placeOf(path), opened.place)) return
    this.isLost = opened.table !== undefined
    this.close()
  }

  private open(): ActivityTable {
    const { path, readonly, sessions } = this
    if (!readonly && this.opened === undefined) makeLike(path, sessions)
    // Who may only read would leave behind what SQLite makes beside the file, which the proxy may not be able to write then.
    const mayWrite = !readonly || (isWritable(path) && isWritable(dirname(path)))
    const opened = this.opened ?? {
      database: openDatabase(path, { readonly: !mayWrite, fileMustExist: readonly, timeout: busyTimeout }),
      place: placeOf(path),
      table: undefined,
    }
    this.opened = opened
    opened.table = openTable(opened.database, readonly)
    opened.place = placeOf(path)
    return opened.table
  }

  /** Whether another file has taken the place of one that was in use, since this was asked last. */
  takeLoss(): boolean {
    const { isLost } = this
    this.isLost = false
    return isLost
  }

  close(): void {
    const { opened } = this
    this.opened = undefined
    opened?.database.close()
  }
}

/** Of a slice's time; what is left is for the commit, which writes a page for each row where ids are far apart. */
const rowsShare = 0.4

/** Writes as many rows as a slice of a turn allows, by one change; where the next ones begin. */
const writeSlice = (table: ActivityTable, rows: ReadonlyArray<StoredActivity>, from: number): number => {
  const sliceEnd = performance.now() + rowsShare * sliceTime
  const most = Math.min(rows.length, from + pageSize)
  let next = from
  table.begin()
  try {
    while (next < most && performance.now() < sliceEnd) {
      const row = rows[next++]
      if (row !== undefined) table.write(row)
    }
    table.commit()
  } catch (error) {
    table.rollback()
    throw error
  }
  return next
}

const forgetAll = (table: ActivityTable, ids: ReadonlyArray<string>, before: number): void => {
  table.begin()
  try {
    for (const id of ids) table.forget(id, before)
    table.commit()
  } catch (error) {
    table.rollback()
    throw error
  }
}

const make = (sessions: string, readonly: boolean): Effect.Effect<typeof ActivityStore.Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const file = new ActivityFile(sessions, readonly)
    yield* Effect.addFinalizer(() => Effect.sync(() => file.close()))
    const { filename } = file
    const fault = faultOf(filename)
    const tellOfLoss = Effect.suspend(() => (file.takeLoss() ? Effect.logWarning(lossOf(filename)) : Effect.void))
    const using = <A>(use: (table: ActivityTable) => A): Effect.Effect<A, StoreUnavailable> =>
      file.use(use).pipe(whileBusy(patience), Effect.mapError(fault))
    return {
      write: (rows) =>
        Effect.gen(function* () {
          let next = 0
          do {
            const from = next
            next = yield* using((table) => writeSlice(table, rows, from))
            yield* nextTurn
          } while (next < rows.length)
          yield* tellOfLoss
        }),
      find: (ids) => using(({ find }) => ids.flatMap((id) => find(id) ?? [])),
      page: (after) => using(({ page }) => page(after)),
      forget: (ids, before) => using((table) => forgetAll(table, ids, before)),
    }
  })
