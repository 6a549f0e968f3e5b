import { Effect, Option } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { foldedId } from "../FoldedId.js"
import type { SessionRow } from "../SessionRepo.js"
import { type Row, rowOf, selectIn } from "./PostgresRows.js"
import { canBeText, type Store } from "./PostgresStore.js"

/** So many rows of one folded id are told at most. */
export const mostTwins = 3

/** The reads that requests wait for. Each asks the database, and takes as long as that takes. */
export const reads = ({ ask, schema }: Store) => {
  // `= ANY` with one id is as fast as `=`, and one text is planned once.
  const findStatement = selectIn(schema, "WHERE s.session_id = ANY ($1::text[])")
  const foldedStatement = selectIn(
    schema,
    `WHERE pg_catalog.lower(s.session_id COLLATE "C") = ANY ($1::text[]) ORDER BY s.session_id COLLATE "C"`,
  )
  const findMany = (
    ids: ReadonlyArray<string>,
    knownOf?: (id: string) => SessionRow | undefined,
  ): Effect.Effect<ReadonlyArray<SessionRow>, StoreUnavailable> => {
    const askable = ids.filter(canBeText)
    if (askable.length === 0) return Effect.succeed([])
    return Effect.map(ask<Row>(findStatement, [askable]), (rows) => rows.map((row) => rowOf(row, knownOf?.(row.id))))
  }
  /** By their folded ids, those of each in the order of their ids. */
  const findManyFolded = (
    keys: ReadonlyArray<string>,
    knownOf?: (key: string) => SessionRow | undefined,
  ): Effect.Effect<ReadonlyMap<string, ReadonlyArray<SessionRow>>, StoreUnavailable> => {
    const askable = keys.filter(canBeText)
    if (askable.length === 0) return Effect.succeed(new Map())
    return Effect.map(ask<Row>(foldedStatement, [askable]), (rows) => {
      const found = new Map<string, Array<SessionRow>>()
      for (const row of rows) {
        const key = foldedId(row.id)
        const twins = found.get(key)
        const one = rowOf(row, knownOf?.(key))
        if (twins === undefined) found.set(key, [one])
        else twins.push(one)
      }
      return found
    })
  }
  return {
    find: (id: string, known?: SessionRow): Effect.Effect<Option.Option<SessionRow>, StoreUnavailable> =>
      Effect.map(
        findMany([id], () => known),
        ([row]) => Option.fromNullable(row),
      ),
    findMany,
    findFolded: (id: string): Effect.Effect<ReadonlyArray<SessionRow>, StoreUnavailable> => {
      const key = foldedId(id)
      return Effect.map(findManyFolded([key]), (found) => found.get(key)?.slice(0, mostTwins) ?? [])
    },
    findManyFolded,
  }
}
