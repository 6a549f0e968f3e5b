import { foldedName } from "../domain/FieldName.js"

/** What the fields of a message lose and get by the policies of its session; made once, when these are adopted. */
export interface FieldEdits {
  /** Folded names: a field is gone in every spelling that some server would read as one of them. */
  readonly gone: ReadonlySet<string>
  /** Pairs that are written behind the fields that stay. */
  readonly set: ReadonlyArray<string>
  /** Whether `Authorization` is among them. */
  readonly authorizes: boolean
}

/** `undefined` where nothing is to be done. */
export const fieldEdits = (
  strip: ReadonlyArray<string>,
  set: Readonly<Record<string, string | ReadonlyArray<string>>>,
): FieldEdits | undefined => {
  const lines = Object.entries(set)
  if (strip.length === 0 && lines.length === 0) return undefined
  const gone = new Set([...strip, ...lines.map(([name]) => name)].map(foldedName))
  const pairs = lines.flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value]))
  return { gone, set: pairs, authorizes: Object.keys(set).some((name) => foldedName(name) === "authorization") }
}

/** The fields, or trailers, that stay. */
export const keptFields = (fields: ReadonlyArray<string>, { gone }: FieldEdits): ReadonlyArray<string> => {
  const kept: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    if (!gone.has(foldedName(name))) kept.push(name, fields[index + 1] ?? "")
  }
  return kept
}
