import { Schema } from "effect"

// Numbers as they go from one process to another, in JSON.

/** What may be missing: null in JSON. */
export const OrNothing = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.transform(Schema.NullOr(schema), Schema.UndefinedOr(Schema.typeSchema(schema)), {
    strict: true,
    decode: (value) => value ?? undefined,
    encode: (value) => value ?? null,
  })

/** The length, then place and number of each that is not 0; null: not known. Most are 0. */
const sparse = (numbers: Float64Array): ReadonlyArray<number | null> => {
  const parts: Array<number | null> = [numbers.length]
  for (const [place, number] of numbers.entries())
    if (number !== 0) parts.push(place, Number.isFinite(number) ? number : null)
  return parts
}

/** Longer than any catalogue: what does not fit is no such array. */
const mostCells = 100_000

const dense = ([length, ...parts]: ReadonlyArray<number | null>): Float64Array => {
  const numbers = new Float64Array(Math.min(length ?? 0, mostCells))
  for (let part = 0; part + 1 < parts.length; part += 2) numbers[parts[part] ?? -1] = parts[part + 1] ?? Number.NaN
  return numbers
}

/** Cells of a catalogue. */
export const CellNumbers = Schema.transform(
  Schema.Array(Schema.NullOr(Schema.Number)),
  Schema.declare((value): value is Float64Array => value instanceof Float64Array),
  { strict: true, decode: dense, encode: sparse },
)

/** `Snapshot` of one process, or of several. */
export const SnapshotOfProcess = Schema.Struct({
  layout: Schema.String,
  takenAt: Schema.Number,
  values: CellNumbers,
  processes: Schema.Array(
    Schema.Struct({ worker: Schema.String, version: Schema.String, node: Schema.String, values: CellNumbers }),
  ),
})
