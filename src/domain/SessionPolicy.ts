import { Either, Option, Schema } from "effect"
import { type policies, type Policy, policyRows } from "./Policies.js"
import { refusal } from "./Reading.js"

/** The type of a policy's values. */
type ValueOf<Row> = Row extends Policy<infer A> ? A : never

/** Where one session differs from the settings of the proxy. `policies` describes each policy. */
export type SessionPolicy = { readonly [Name in keyof typeof policies]: ValueOf<(typeof policies)[Name]> }

/**
 * A policy as it is stored. Other programs write it too, so it may contain invalid values. These are kept as text, so
 * that they can be shown; `readPolicy` refuses them.
 */
export type StoredPolicy = { readonly [Name in keyof SessionPolicy]: SessionPolicy[Name] | string }

const rows = Object.entries(policyRows)

/** The first policy whose value is invalid. */
const firstInvalid = (stored: object): readonly [name: string, row: Policy<unknown>] | undefined =>
  rows.find(([name, { reading }]) => !reading.is(Reflect.get(stored, name)))

const isPolicy = (stored: object): stored is SessionPolicy => firstInvalid(stored) === undefined

const isStoredPolicy = (value: unknown): value is StoredPolicy =>
  typeof value === "object" &&
  value !== null &&
  rows.every(([name, { reading }]) => {
    const stored: unknown = Reflect.get(value, name)
    return typeof stored === "string" || reading.is(stored)
  })

/** The schema of a stored policy. */
export const StoredPolicy = Schema.declare(isStoredPolicy, { identifier: "StoredPolicy" })

/** Validates the values of a policy, by the names of the policies. Left: a phrase about the first invalid value. */
export const readPolicy = (values: object): Either.Either<SessionPolicy, string> =>
  Either.liftPredicate(values, isPolicy, () => {
    const [name = "", row] = firstInvalid(values) ?? []
    return row === undefined ? "" : `its ${row.column} ${refusal(row.reading, Reflect.get(values, name), row.stored)}`
  })

/** The policy of a session without a row in the table of policies. */
export const defaultPolicy: SessionPolicy = Either.getOrThrow(
  readPolicy(Object.fromEntries(rows.map(([name, { fallback }]) => [name, fallback]))),
)

/** Makes a policy from the texts of its columns, by the names of the policies. */
export const policyOfColumns = (columns: Readonly<Record<string, string | null | undefined>>): StoredPolicy => ({
  ...defaultPolicy,
  ...Object.fromEntries(
    rows.flatMap(([name, { read }]) => {
      const text = columns[name]
      return text === null || text === undefined ? [] : [[name, Option.getOrElse(read(text), () => text)]]
    }),
  ),
})

/** Whether two stored policies have the same values. */
export const isSamePolicy = (one: StoredPolicy, other: StoredPolicy): boolean =>
  rows.every(([name, { reading }]) => {
    const [value, otherValue]: readonly unknown[] = [Reflect.get(one, name), Reflect.get(other, name)]
    return value === otherValue || (reading.json !== undefined && isSameJson(value, otherValue))
  })

const isSameJson = (one: unknown, other: unknown): boolean =>
  typeof one === "object" && typeof other === "object" && JSON.stringify(one) === JSON.stringify(other)
