import { Data, type Effect, Option } from "effect"
import { type Policy, policyRows } from "../domain/Policies.js"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { controlColumns } from "../domain/SessionControl.js"

/** What a table of the proxy's own has of a session, in the order of its columns: texts, or null. */
export type Columns = ReadonlyArray<string | null>

/**
 * A session as it is stored, with what was asked of it and whatever is wrong with it: nothing is read of it but what a store of
 * another kind has in another form. Those have one form here, so that two stores can be compared.
 */
export interface StoredRow {
  readonly id: string
  readonly url: string
  readonly status: string
  /** UTC, to the second: `2030-01-31 12:00:00`; null where there is none that can be read. */
  readonly createdAt: string | null
  readonly updatedAt: string | null
  /** `undefined`: no value in it. */
  readonly policy: Columns | undefined
  readonly control: Columns | undefined
  /** A time is stored, and cannot be read. */
  readonly hasOddTime: boolean
  /** Why no other store can have it: a phrase about the row. */
  readonly fault: string | undefined
}

/** A store refuses rows for what is in them; `reason`: a phrase about them. None of them is written. */
export class RowsRefused extends Data.TaggedError("RowsRefused")<{ readonly reason: string }> {}

/** Why a row is refused whose id is taken. */
export const isThere = "is there already"

/** Sessions as they are stored, for who moves them to another store. */
export interface RowStore {
  readonly count: Effect.Effect<number, StoreUnavailable>
  /** Hands all rows to `take`, a few hundred in each turn of the event loop. */
  readonly forEachPage: <E, R>(
    take: (rows: ReadonlyArray<StoredRow>) => Effect.Effect<void, E, R>,
  ) => Effect.Effect<void, E | StoreUnavailable, R>
  /** Those of these ids that are there; at most a page of them. */
  readonly find: (ids: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<StoredRow>, StoreUnavailable>
  /**
   * Stores rows, no two of one id, by one change: all, or none. `replaces`: they take the place of those that have their ids;
   * otherwise such an id is refused.
   */
  readonly write: (
    rows: ReadonlyArray<StoredRow>,
    replaces: boolean,
  ) => Effect.Effect<void, RowsRefused | StoreUnavailable>
}

/** Rows of a page. */
export const rowsAtOnce = 500

/** The columns of the proxy's own tables, behind the id. */
export const policyNames: ReadonlyArray<string> = Object.values(policyRows).map(({ column }) => column)
export const controlNames: ReadonlyArray<string> = Object.values(controlColumns)

/** A number may be stored in several ways, such as with a unit. What is no value of the policy stays as it is. */
const policyText = ({ columnType, read, write }: Policy<unknown>, text: string | null): string | null => {
  if (text === null || columnType === "TEXT") return text
  return Option.match(read(text), {
    onNone: () => text,
    onSome: (value) => {
      const written = write(value)
      return written === null ? null : String(written)
    },
  })
}

// Milliseconds with a fraction, which SQL in other programs may come to. Here they are whole.
const controlText = (text: string | null): string | null =>
  text !== null && /^\d+\.\d+$/.test(text) ? String(Math.floor(Number(text))) : text

const orNone = (columns: Columns): Columns | undefined => (columns.every((text) => text === null) ? undefined : columns)

const policyKinds = Object.values(policyRows)
const reasonAt = controlNames.indexOf(controlColumns.killReason)

const timeForm = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$/

/** A time that a program has written, as UTC to the second; null for what is none. */
const timeOf = (text: string | null): string | null => {
  const [, day, time, zone = "Z"] = timeForm.exec(text ?? "") ?? []
  if (day === undefined || time === undefined) return null
  const at = Date.parse(`${day}T${time}${zone === "UTC" ? "Z" : zone}`)
  return Number.isNaN(at) ? null : new Date(at).toISOString().slice(0, 19).replace("T", " ")
}

/** What a store has of a session, as it reads it: all are texts. */
export type ReadColumns = Pick<StoredRow, "id" | "url" | "status" | "createdAt" | "updatedAt"> & {
  readonly policy: Columns | null
  readonly control: Columns | null
  readonly fault?: string | undefined
}

/** Brings what was read into the one form. */
export const storedRow = ({ control, fault, policy, ...read }: ReadColumns): StoredRow => {
  const [createdAt, updatedAt] = [timeOf(read.createdAt), timeOf(read.updatedAt)]
  const policies = policyKinds.map((kind, at) => policyText(kind, policy?.[at] ?? null))
  const asked = controlNames.map((_, at) => {
    const text = control?.[at] ?? null
    return at === reasonAt ? text : controlText(text)
  })
  return {
    id: read.id,
    url: read.url,
    status: read.status,
    createdAt,
    updatedAt,
    policy: policy === null ? undefined : orNone(policies),
    control: control === null ? undefined : orNone(asked),
    hasOddTime: (createdAt === null && read.createdAt !== null) || (updatedAt === null && read.updatedAt !== null),
    fault,
  }
}

const isSame = (one: Columns | undefined, other: Columns | undefined): boolean =>
  one === other || (one !== undefined && one.every((text, at) => text === (other?.[at] ?? null)))

/** Whether both say the same. */
export const isSameRow = (one: StoredRow, other: StoredRow): boolean =>
  one.id === other.id &&
  one.url === other.url &&
  one.status === other.status &&
  one.createdAt === other.createdAt &&
  one.updatedAt === other.updatedAt &&
  isSame(one.policy, other.policy) &&
  isSame(one.control, other.control)
