import { foldedName } from "../domain/FieldName.js"

type Fields = ReadonlyArray<string>

/** What the fields of a message lose and get by policies and settings; made once, when these are adopted. */
export interface FieldEdits {
  /** Folded names: a field is gone in every spelling that some program would read as one of them. */
  readonly gone: ReadonlySet<string>
  /** Pairs that are written behind the fields that stay. */
  readonly set: Fields
  /** The names of these, folded. */
  readonly named: ReadonlySet<string>
  /** The lengths of names that have to be folded to be known; a name is as long as it is folded. */
  readonly lengths: ReadonlySet<number>
}

/** `undefined` where nothing is to be done. */
export const fieldEdits = (
  strip: Fields,
  set: Readonly<Record<string, string | ReadonlyArray<string>>>,
): FieldEdits | undefined => {
  const lines = Object.entries(set)
  if (strip.length === 0 && lines.length === 0) return undefined
  const named = new Set(lines.map(([name]) => foldedName(name)))
  const pairs = lines.flatMap(([name, values]) => [values].flat().flatMap((value) => [name, value]))
  const gone = new Set([...strip.map(foldedName), ...named])
  return { gone, set: pairs, named, lengths: new Set(["connection", ...gone].map(({ length }) => length)) }
}

/** The members of a `Connection` field that may be nominated: what is set must not go for a peer that names it there. */
const nominable = (value: string, { named }: FieldEdits): string =>
  value
    .split(",")
    .filter((member) => !named.has(foldedName(member.trim())))
    .join(",")

/** The fields, or trailers, that stay. */
export const keptFields = (fields: Fields, edits: FieldEdits): Fields => {
  const kept: Array<string> = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index] ?? ""
    const value = fields[index + 1] ?? ""
    const folded = edits.lengths.has(name.length) ? foldedName(name) : ""
    if (folded === "connection") kept.push(name, nominable(value, edits))
    else if (!edits.gone.has(folded)) kept.push(name, value)
  }
  return kept
}

/** The fields of an answer of a session's server as its client gets them. */
export const editedFields = (fields: Fields, edits: FieldEdits): Fields => [...keptFields(fields, edits), ...edits.set]

/** The fields of an answer of the proxy's own: nothing is stripped of it, and its content stays what it says it is. */
export const editedOwnFields = (fields: Fields, { set, named }: FieldEdits): Fields => {
  const isKept = (name: string, isOwn: boolean): boolean => {
    const folded = foldedName(name)
    return isOwn === (folded === "content-type" || !named.has(folded))
  }
  const pairsOf = (from: Fields, isOwn: boolean): Fields =>
    from.filter((_, index) => isKept(from[index - (index % 2)] ?? "", isOwn))
  return [...pairsOf(fields, true), ...pairsOf(set, false)]
}
