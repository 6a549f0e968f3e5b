import { Effect, Option } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import type { Session } from "../../domain/Session.js"
import { foldedId } from "../FoldedId.js"
import type { FollowedFile } from "./FollowedFile.js"
import type { SessionRow } from "../SessionRepo.js"
import { type Connections, type Reader, requestLockTimeout } from "./SqliteConnections.js"
import { isBusy, storeFault, whileBusy } from "./SqliteFault.js"
import { columnsOf, toSession } from "./SqliteRows.js"

/**
 * The reads that requests wait for. They run synchronously (microseconds) and return `Exit` values, so the caller
 * continues in the same turn without a fiber. They take longer only if the file has been replaced or is locked.
 */
export const reads = (file: FollowedFile<Connections>, filename: string) => {
  const fault = storeFault(filename)
  /**
   * Counts the changes seen. SQLite's own version does not suffice: that of a replacing file may equal that of the old
   * one.
   */
  let version = 0
  let lastSeen: { readonly reader: Reader; readonly version: number } | undefined

  const retryWhileBusy = <A>(query: () => A): Effect.Effect<A, StoreUnavailable> =>
    Effect.try({ try: query, catch: (error) => error }).pipe(whileBusy(requestLockTimeout), Effect.mapError(fault))
  const runNow = <A>(query: () => A): Effect.Effect<A, StoreUnavailable> => {
    try {
      return Effect.succeed(query())
    } catch (error) {
      return isBusy(error) ? retryWhileBusy(query) : Effect.fail(fault(error))
    }
  }
  const runQuery = <A>(query: (reader: Reader) => A): Effect.Effect<A, StoreUnavailable> => {
    const { current } = file
    if (current !== undefined) return runNow(() => query(current.reader))
    return Effect.flatMap(file.reopened, ({ reader }) => runNow(() => query(reader)))
  }
  const versionOf = (reader: Reader): Effect.Effect<number, StoreUnavailable> => {
    try {
      const found = reader.version.get() ?? 0
      if (lastSeen?.reader !== reader || lastSeen.version !== found) version++
      lastSeen = { reader, version: found }
    } catch (error) {
      // Another program holds the lock for a commit, which is not in force yet. So the version is still the last one.
      if (!isBusy(error)) return Effect.fail(fault(error))
    }
    return Effect.succeed(version)
  }
  return {
    find: (id: string, known?: SessionRow) => runQuery((reader) => read(reader, id, known)),
    findFolded: (id: string) => runQuery((reader) => readFolded(reader, id)),
    findMany: (ids: ReadonlyArray<string>, knownOf?: (id: string) => SessionRow | undefined) =>
      Effect.suspend(() => runQuery((reader) => ids.flatMap((id) => Option.toArray(read(reader, id, knownOf?.(id)))))),
    version: (): Effect.Effect<number, StoreUnavailable> => {
      const { current } = file
      return current === undefined
        ? Effect.flatMap(file.reopened, ({ reader }) => versionOf(reader))
        : versionOf(current.reader)
    },
  }
}

/**
 * A row that was read here. It has no `incarnation`, because no column identifies one. A `REPLACE` (a heartbeat) or a reload of
 * the whole file changes the rowid, and perhaps `created_at`, of the same session; a row that is removed and inserted again
 * within a second may keep both.
 */
class ReadRow implements SessionRow {
  readonly #text: string

  constructor(
    readonly session: Session,
    text: string,
  ) {
    this.#text = text
  }

  /** Whether this is what a row says. */
  says(text: string): boolean {
    return this.#text === text
  }
}

const read = ({ find }: Reader, id: string, known: SessionRow | undefined): Option.Option<SessionRow> => {
  const found = find(id)
  if (found === undefined) return Option.none()
  if (known instanceof ReadRow && known.says(found.text)) return Option.some(known)
  const row = columnsOf(found)
  // SQLite may find a row with another id, because the column has a collation or the id is not valid text.
  return row.id === id ? Option.some(new ReadRow(toSession(row), found.text)) : Option.none()
}

/** The guard is that of `read`. */
const readFolded = ({ findFolded }: Reader, id: string): ReadonlyArray<SessionRow> => {
  const key = foldedId(id)
  return findFolded(id).flatMap((found) => {
    const row = columnsOf(found)
    return foldedId(row.id) === key ? [new ReadRow(toSession(row), found.text)] : []
  })
}
