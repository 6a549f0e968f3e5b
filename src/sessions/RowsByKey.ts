import { Effect, Exit, Option } from "effect"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { foldedId } from "./FoldedId.js"
import type { KeyedRow } from "./KnownRow.js"
import type { SessionRepo, SessionRow } from "./SessionRepo.js"

/** The rows that are known already, by their keys. */
export interface KnownRows {
  rowOf(key: string): SessionRow | undefined
}

type Repo = typeof SessionRepo.Service

/** The rows of a store by what a directory knows them by: their ids, or those in one case. */
export interface RowsByKey {
  readonly keyOf: (id: string) => string
  /** An `Exit` where the store answers at once. */
  readonly find: (key: string, known: KnownRows) => Effect.Effect<Option.Option<KeyedRow>, StoreUnavailable>
  /** Of those that are there. */
  readonly findMany: (
    keys: ReadonlyArray<string>,
    known: KnownRows,
  ) => Effect.Effect<ReadonlyMap<string, KeyedRow>, StoreUnavailable>
}

/** Rows by their ids, letter by letter. */
export const exactRows = (repo: Repo): RowsByKey => ({
  keyOf: (id) => id,
  find: (key, known) => repo.find(key, known.rowOf(key)),
  findMany: (keys, known) =>
    Effect.map(
      repo.findMany(keys, (key) => known.rowOf(key)),
      (rows) => new Map(rows.map((row) => [row.session.id, row])),
    ),
})

/** The row that is meant by a key. Where several are, none may be forwarded to, but the one that is known stays known. */
const meantBy = (rows: ReadonlyArray<SessionRow>, id: string | undefined): Option.Option<KeyedRow> => {
  const row = rows.find(({ session }) => session.id === id) ?? rows[0]
  if (row === undefined) return Option.none()
  const twin = rows.find((other) => other !== row)?.session.id
  return Option.some(twin === undefined ? row : { ...row, twin })
}

const isSettled = <A, E>(effect: Effect.Effect<A, E>): effect is Exit.Exit<A, E> => Exit.isExit(effect)

/** Rows by their ids without regard to case. The store must be able to find them so. */
export const foldedRows = ({ feed, findFolded }: Repo): Effect.Effect<RowsByKey> => {
  if (findFolded === undefined)
    return Effect.dieMessage("the setting idCase is fold, and this store of sessions has no findFolded")
  const find: RowsByKey["find"] = (key, known) => {
    const row = known.rowOf(key)
    const found = findFolded(key, row)
    const meant = (rows: ReadonlyArray<SessionRow>) => meantBy(rows, row?.session.id)
    return isSettled(found) ? Exit.map(found, meant) : Effect.map(found, meant)
  }
  // A store that is somewhere else answers many at the price of one.
  const concurrency = feed === undefined ? 1 : "unbounded"
  return Effect.succeed({
    keyOf: foldedId,
    find,
    findMany: (keys, known) =>
      Effect.map(
        Effect.forEach(keys, (key) => find(key, known), { concurrency }),
        (rows) => new Map(rows.flatMap((row, index) => (Option.isSome(row) ? [[keys[index] ?? "", row.value]] : []))),
      ),
  })
}
