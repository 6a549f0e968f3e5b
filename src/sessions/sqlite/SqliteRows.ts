import { Effect } from "effect"
import { policyRows } from "../../domain/Policies.js"
import { Session } from "../../domain/Session.js"
import { type ControlColumns, controlColumns, controlOfColumns, noControl } from "../../domain/SessionControl.js"
import { policyOfColumns, type SessionPolicy } from "../../domain/SessionPolicy.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import { millisecondsOf } from "../SessionActivity.js"
import { missingOwnTable } from "./SqliteFault.js"
import { controlTable, policyTable } from "./SqliteMigrations.js"
import type { Selected } from "./SqlitePages.js"

// SQLite stores a value with its own type, whatever the column's type is. So all columns are read as text.
export const text = (column: string) => `ifnull(CAST(${column} AS TEXT), '')`
export const columns = `${text("sessions.session_id")} AS id, ${text("downstream_server_url")} AS url,
  ${text("downstream_server_status")} AS status,
  CAST(created_at AS TEXT) AS createdAt, CAST(updated_at AS TEXT) AS updatedAt`

export const policyColumns = Object.entries(policyRows)
  .map(([name, { column }]) => `CAST(${policyTable}.${column} AS TEXT) AS ${name}`)
  .join(", ")

const controlTexts = Object.entries(controlColumns)
  .map(([name, column]) => `CAST(${controlTable}.${column} AS TEXT) AS ${name}`)
  .join(", ")

/** The proxy's own tables, and what is selected of them. Each may be missing. */
const ownTables: ReadonlyArray<readonly [name: string, columns: string]> = [
  [policyTable, policyColumns],
  [controlTable, controlTexts],
]

/** What is selected of sessions and of the proxy's own tables, but for tables that are missing. */
export const selected = (missing: ReadonlyArray<string>): Selected => {
  const present = ownTables.filter(([name]) => !missing.includes(name))
  const joins = present.map(([name]) => `LEFT JOIN ${name} ON ${name}.session_id = sessions.session_id`)
  return {
    columns: [columns, ...present.map(([, texts]) => texts)].join(", "),
    from: `sessions ${joins.join(" ")}`,
  }
}

/** A SELECT of sessions with what the proxy's own tables have of them, but for tables that are missing. */
export const query =
  (rest: string) =>
  (missing: ReadonlyArray<string>): string => {
    const { columns, from } = selected(missing)
    return `SELECT ${columns} FROM ${from} ${rest}`
  }

export const findQuery = query("WHERE sessions.session_id = ?")
export const findStatement = findQuery([])
// NOCASE folds ASCII letters alone. With `idCase` `fold` the table has an index for this.
export const findFoldedQuery = query(
  "WHERE sessions.session_id = ? COLLATE NOCASE ORDER BY sessions.session_id LIMIT 3",
)
export const findFoldedStatement = findFoldedQuery([])

/** The texts of a row of policies, by the names of the policies. */
export type PolicyRow = Readonly<Record<keyof SessionPolicy, string | null>>

/** A row of `sessions`, with what the proxy's own tables have of it if that was selected and exists. */
export interface Row extends Partial<PolicyRow>, Partial<ControlColumns> {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly createdAt: string | null
  readonly updatedAt: string | null
}

/**
 * A row as one text, by which it is known again at the price of one column, and the names of its columns. SQLite makes it in
 * less than half of the time that the columns take one by one.
 */
export interface RowText {
  /** The values in JSON: texts and nulls. */
  readonly text: string
  readonly names: ReadonlyArray<string>
}

/** The same SELECT, with all of its columns, which have these names, as one text. */
export const asText = (statement: string, names: ReadonlyArray<string>): string =>
  `SELECT json_array(${names.map((name) => `"${name}"`).join(", ")}) FROM (${statement})`

/** The columns of such a text. Their types are those that the casts in the statement guarantee. */
export const columnsOf = ({ names, text }: RowText): Row => {
  const values: ReadonlyArray<string> = JSON.parse(text)
  const [id = "", url = "", status = ""] = values
  return {
    id,
    url,
    status,
    createdAt: null,
    updatedAt: null,
    ...Object.fromEntries(names.map((name, at) => [name, values[at]])),
  }
}

// No validation: the casts in the statements guarantee the types.
export const toSession = ({ id, url, status, createdAt, updatedAt, ...own }: Row): Session =>
  new Session(
    {
      id,
      url: trimUrl(url),
      status,
      policy: policyOfColumns(own),
      control: controlOf(own, createdAt),
      createdAt,
      updatedAt,
    },
    { disableValidation: true },
  )

/** What was asked of a session. Most sessions have no row of it. */
const controlOf = (own: Partial<ControlColumns>, createdAt: string | null) => {
  const { drainSince = null, drainUntil = null, killCode = null, killReason = null, kills = null } = own
  if (kills === null && drainSince === null && drainUntil === null && killCode === null && killReason === null)
    return noControl
  return controlOfColumns({ kills, killCode, killReason, drainSince, drainUntil }, millisecondsOf(createdAt))
}

/** The tables to do without, where this error says that one more is missing. */
export const alsoMissing = (missing: ReadonlyArray<string>, error: unknown): ReadonlyArray<string> | undefined => {
  const table = missingOwnTable(error)
  return table === undefined || missing.includes(table) ? undefined : [...missing, table]
}

/** Those of the proxy's own tables that are not there. */
export const missingTables = <E>(
  run: (statement: string, parameters: ReadonlyArray<unknown>) => Effect.Effect<unknown, E>,
): Effect.Effect<ReadonlyArray<string>, E> =>
  Effect.filter(
    ownTables.map(([name]) => name),
    (name) =>
      run(`SELECT 1 FROM ${name} LIMIT 0`, []).pipe(
        Effect.as(false),
        Effect.catchAll((error) => (missingOwnTable(error) === name ? Effect.succeed(true) : Effect.fail(error))),
      ),
  )
