import { Effect } from "effect"
import type { Client } from "pg"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { connectTo } from "./PostgresConnect.js"
import { storeFault } from "./PostgresFault.js"
import { missingTriggers } from "./PostgresMigrations.js"
import { type PostgresPlace, placeText } from "./PostgresPlace.js"
import { sessionTable, tableIn, tables } from "./PostgresSchema.js"

/** What is known of a database beside its sessions. */
export interface PostgresProbe {
  /** Such as `15.4`. */
  readonly version: string
  /** Whether it takes writes: a standby does not. */
  readonly takesWrites: boolean
  /** The tables that this role may not write. */
  readonly forbidden: ReadonlyArray<string>
  /** The triggers that tell of changes and are not there, or do not always fire; as `TABLE NAME`. */
  readonly untold: ReadonlyArray<string>
  /** Whether it counts changes (`track_counts`), by which a change is found that no trigger told of. */
  readonly counts: boolean
  /** How far its clock is ahead of that of this machine, in milliseconds. */
  readonly ahead: number
}

/** Time limit of a statement, in milliseconds. */
const queryTimeout = 5_000

const using = <A>(place: PostgresPlace, use: (client: Client) => Promise<A>): Effect.Effect<A, StoreUnavailable> =>
  Effect.acquireUseRelease(
    Effect.tryPromise({ try: () => connectTo({ ...place, sessionKind: "any" }), catch: (error) => error }),
    ({ client }) => Effect.tryPromise({ try: () => use(client), catch: (error) => error }),
    ({ client }) => Effect.promise(() => client.end()).pipe(Effect.timeoutOption(queryTimeout)),
  ).pipe(Effect.mapError(storeFault(placeText(place))))

interface Facts {
  readonly version: string
  readonly writes: boolean
  readonly counts: boolean
  readonly now: string
}

const factStatement = `SELECT current_setting('server_version') AS version,
  NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writes,
  current_setting('track_counts') = 'on' AS counts,
  (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS now`

const forbiddenStatement = `SELECT name FROM pg_catalog.unnest($1::text[]) AS name
  WHERE NOT has_table_privilege(name, 'SELECT') OR NOT has_table_privilege(name, 'INSERT')
    OR NOT has_table_privilege(name, 'UPDATE') OR NOT has_table_privilege(name, 'DELETE')`

/** Looks at a database that has the tables. Changes nothing. */
export const probePostgres = (place: PostgresPlace): Effect.Effect<PostgresProbe, StoreUnavailable> =>
  using(place, async (client) => {
    const asked = Date.now()
    const facts = await client.query<Facts>(factStatement)
    const answered = Date.now()
    const names = tables.map(({ name }) => tableIn(place.schema, name))
    const forbidden = await client.query<{ readonly name: string }>(forbiddenStatement, [names])
    const [fact] = facts.rows
    return {
      version: fact?.version ?? "",
      takesWrites: fact?.writes ?? false,
      counts: fact?.counts ?? false,
      ahead: Number(fact?.now ?? 0) - (asked + answered) / 2,
      forbidden: forbidden.rows.map(({ name }) => name),
      untold: await missingTriggers(client, place.schema),
    }
  })

/** Pairs of ids that differ in nothing but the case of ASCII letters; so many at most. */
export const twinsIn = (
  place: PostgresPlace,
  most: number,
): Effect.Effect<ReadonlyArray<readonly [one: string, other: string]>, StoreUnavailable> =>
  using(place, async (client) => {
    const id = `session_id COLLATE "C"`
    const { rows } = await client.query<{ readonly one: string; readonly other: string }>(
      `SELECT pg_catalog.min(${id})::text AS one, pg_catalog.max(${id})::text AS other FROM ${tableIn(place.schema, sessionTable)}
        GROUP BY pg_catalog.lower(${id}) HAVING count(*) > 1 LIMIT ${most}`,
    )
    return rows.map(({ one, other }) => [one, other] as const)
  })
