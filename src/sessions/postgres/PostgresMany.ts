import type { SqlError } from "@effect/sql/SqlError"
import { Effect } from "effect"
import { policyRows } from "../../domain/Policies.js"
import type { StoreUnavailable } from "../../domain/ProxyError.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import type { NewSession } from "../SessionRepo.js"
import { boundTo } from "../UsablePolicy.js"
import { forget, ruleOf, sessionColumns, sessionsOf, type Tables } from "./PostgresChanges.js"
import { identifier, policyTable, tableIn } from "./PostgresSchema.js"
import type { Run } from "./PostgresTransaction.js"

/** Rows of one statement: a millisecond or two of this process's time. */
export const rowsAtOnce = 500

const policies = Object.entries(policyRows)
const policyColumns = ["session_id", ...policies.map(([, { column }]) => identifier(column))].join(", ")

// All rows are one text: the driver would escape each value of an array by itself.
const arriving = "pg_catalog.json_to_recordset($1::json) AS arriving (id text, url text, status text)"

const addStatement = (tables: Tables): string =>
  `INSERT INTO ${sessionsOf(tables)} ${sessionColumns} SELECT id, url, status FROM ${arriving}`

// Of a row that was there before, `xmax` is the transaction that has just replaced it.
const putStatement = (tables: Tables): string => `${addStatement(tables)}
  ON CONFLICT (session_id) DO UPDATE SET downstream_server_url = excluded.downstream_server_url,
  downstream_server_status = excluded.downstream_server_status, updated_at = now()`

const counted = (statement: string): string => `WITH written AS (${statement} RETURNING xmax::text AS before)
  SELECT count(*)::int AS count, (count(*) FILTER (WHERE before <> '0'))::int AS replaced FROM written`

/** How many rows a statement has written, and how many of them in the place of others. */
interface Written {
  readonly count: number
  readonly replaced: number
}

/** The values of the policy columns of a session; nothing for a policy that has its default. */
const policiesOf = ({ id, policy, url }: NewSession): Readonly<Record<string, unknown>> | undefined => {
  const bound = boundTo(url, policy)
  const values = policies.flatMap(([name, { column, fallback, write }]) => {
    const value: unknown = Reflect.get(bound, name) ?? fallback
    return value === fallback ? [] : [[column, write(value)] as const]
  })
  return values.length === 0 ? undefined : { session_id: id, ...Object.fromEntries(values) }
}

/**
 * Stores sessions, no two of one id, by a few statements of a transaction; gives how many were there before. Without
 * `replaces` an id that is there is a conflict.
 */
export const writeMany = (
  run: Run,
  tables: Tables,
  sessions: ReadonlyArray<NewSession>,
  replaces: boolean,
): Effect.Effect<number, SqlError | StoreUnavailable> =>
  Effect.gen(function* () {
    const rows = sessions.map(({ id, status, url }) => ({ id, url: trimUrl(url), status }))
    const statement = counted(replaces ? putStatement(tables) : addStatement(tables))
    const [written] = yield* run<Written>(statement, [JSON.stringify(rows)])
    if (written?.count !== rows.length) return yield* ruleOf(tables, "passes over rows")
    yield* forget(
      run,
      tables,
      rows.map(({ id }) => id),
    )
    const own = sessions.flatMap((session) => policiesOf(session) ?? [])
    const policyName = tableIn(tables.schema, policyTable)
    const policyStatement = `INSERT INTO ${policyName} (${policyColumns})
      SELECT ${policyColumns} FROM pg_catalog.json_populate_recordset(NULL::${policyName}, $1::json)`
    // A session without policies of its own needs no row.
    if (own.length > 0) yield* run(policyStatement, [JSON.stringify(own)])
    return written.replaced
  })
