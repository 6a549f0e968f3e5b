import { policyRows } from "../../domain/Policies.js"
import { Session } from "../../domain/Session.js"
import { type ControlColumns, controlColumns, controlOfColumns, noControl } from "../../domain/SessionControl.js"
import { defaultPolicy, policyOfColumns } from "../../domain/SessionPolicy.js"
import { trimUrl } from "../../wire/DownstreamUrl.js"
import { millisecondsOf } from "../SessionActivity.js"
import type { SessionRow } from "../SessionRepo.js"
import { controlTable, identifier, incarnationColumn, policyTable, sessionTable, tableIn } from "./PostgresSchema.js"

/** A row of `sessions` with what the proxy's own tables have of it: texts, whatever the types of the columns are. */
export interface Row {
  readonly id: string
  readonly url: string
  readonly status: string
  readonly createdAt: string | null
  readonly updatedAt: string | null
  readonly incarnation: string | null
  /** The policies in the order of their table, in JSON; null without a row. */
  readonly policy: string | null
  /** What was asked of the session, the same way. */
  readonly control: string | null
}

/** The time as SQLite's CURRENT_TIMESTAMP writes it: of UTC, whatever the time zone of the connection is. */
const timeText = (column: string): string =>
  `pg_catalog.to_char(s.${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')`

/** The names of the policies, in the order of their columns in a text; the same of what was asked. */
const policyNames = Object.keys(policyRows)
const controlNames = Object.keys(controlColumns)

const textsOf = (table: string, columns: ReadonlyArray<string>): string => {
  const texts = columns.map((column) => `${table}.${identifier(column)}::text`)
  return `CASE WHEN ${table}.session_id IS NOT NULL THEN pg_catalog.json_build_array(${texts.join(", ")})::text END`
}

const columns = [
  "s.session_id::text AS id",
  "coalesce(s.downstream_server_url, '')::text AS url",
  "coalesce(s.downstream_server_status, '')::text AS status",
  `${timeText("created_at")} AS "createdAt"`,
  `${timeText("updated_at")} AS "updatedAt"`,
  `s.${incarnationColumn}::text AS incarnation`,
  `${textsOf(
    "p",
    Object.values(policyRows).map(({ column }) => column),
  )} AS policy`,
  `${textsOf("c", Object.values(controlColumns))} AS control`,
].join(", ")

/** A SELECT of sessions (`s`) with what the proxy's own tables have of them. */
export const selectIn = (schema: string, rest: string, also = ""): string =>
  `SELECT ${columns}${also} FROM ${tableIn(schema, sessionTable)} s
    LEFT JOIN ${tableIn(schema, policyTable)} p ON p.session_id = s.session_id
    LEFT JOIN ${tableIn(schema, controlTable)} c ON c.session_id = s.session_id ${rest}`

const byName = (names: ReadonlyArray<string>, text: string): Readonly<Record<string, string | null>> => {
  const values: ReadonlyArray<string | null> = JSON.parse(text)
  return Object.fromEntries(names.map((name, at) => [name, values[at] ?? null]))
}

const controlOf = ({ control, createdAt }: Row) => {
  if (control === null) return noControl
  const {
    drainSince = null,
    drainUntil = null,
    killCode = null,
    killReason = null,
    kills = null,
  } = byName(controlNames, control)
  const asked: ControlColumns = { kills, killCode, killReason, drainSince, drainUntil }
  return Object.values(asked).every((text) => text === null)
    ? noControl
    : controlOfColumns(asked, millisecondsOf(createdAt))
}

// No validation: the casts in the statement guarantee the types.
export const toSession = (row: Row): Session =>
  new Session(
    {
      id: row.id,
      url: trimUrl(row.url),
      status: row.status,
      policy: row.policy === null ? defaultPolicy : policyOfColumns(byName(policyNames, row.policy)),
      control: controlOf(row),
      createdAt: row.createdAt,
      updatedAt: row.updatedAt,
    },
    { disableValidation: true },
  )

/** A row that was read here. */
export class ReadRow implements SessionRow {
  readonly session: Session
  readonly incarnation: string
  readonly #row: Row

  constructor(row: Row) {
    this.#row = row
    this.session = toSession(row)
    this.incarnation = row.incarnation ?? ""
  }

  /** Whether this is what a row says. */
  says(row: Row): boolean {
    const own = this.#row
    return (
      own.incarnation === row.incarnation &&
      own.url === row.url &&
      own.status === row.status &&
      own.updatedAt === row.updatedAt &&
      own.createdAt === row.createdAt &&
      own.policy === row.policy &&
      own.control === row.control &&
      own.id === row.id
    )
  }
}

/** The row that is known already where it says the same, so that nothing is made of it again. */
export const rowOf = (row: Row, known: SessionRow | undefined): SessionRow =>
  known instanceof ReadRow && known.says(row) ? known : new ReadRow(row)
