import { Effect, Option } from "effect"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { foldedId } from "../FoldedId.js"
import type { SessionRow } from "../SessionRepo.js"
import { type Row, rowOf, selectIn } from "./PostgresRows.js"
import { canBeText, type Store } from "./PostgresStore.js"

/**
 * The reads that requests wait for. Each asks the database, and takes as long as that takes; whoever asks often should ask
 * for many rows at once.
 */
export const reads = ({ ask, schema }: Store) => {
  // `= ANY` with one id is as fast as `=`, and one text is planned once.
  const findStatement = selectIn(schema, "WHERE s.session_id = ANY ($1::text[])")
  const findFoldedStatement = selectIn(
    schema,
    `WHERE lower(s.session_id COLLATE "C") = $1 ORDER BY s.session_id COLLATE "C" LIMIT 3`,
  )
  const findMany = (
    ids: ReadonlyArray<string>,
    knownOf?: (id: string) => SessionRow | undefined,
  ): Effect.Effect<ReadonlyArray<SessionRow>, StoreUnavailable> => {
    const askable = ids.filter(canBeText)
    if (askable.length === 0) return Effect.succeed([])
    return Effect.map(ask<Row>(findStatement, [askable]), (rows) => rows.map((row) => rowOf(row, knownOf?.(row.id))))
  }
  return {
    find: (id: string, known?: SessionRow): Effect.Effect<Option.Option<SessionRow>, StoreUnavailable> =>
      Effect.map(
        findMany([id], () => known),
        ([row]) => Option.fromNullable(row),
      ),
    findMany,
    findFolded: (id: string): Effect.Effect<ReadonlyArray<SessionRow>, StoreUnavailable> =>
      canBeText(id)
        ? Effect.map(ask<Row>(findFoldedStatement, [foldedId(id)]), (rows) => rows.map((row) => rowOf(row, undefined)))
        : Effect.succeed([]),
  }
}
