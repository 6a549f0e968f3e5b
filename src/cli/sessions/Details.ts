import { printable } from "../../wire/PrintableText.js"
import { namesOf, withoutName } from "../SessionNames.js"

/** A line of what `show` prints. */
export type Detail = readonly [name: string, value: string]

/** The lines, their values below each other. */
export const renderDetails = (details: ReadonlyArray<Detail>): string => {
  const width = Math.max(...details.map(([name]) => name.length))
  return details.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`).join("\n")
}

/** The names that a session has below `--session-hosts`, or why it has none; nothing where nobody has one. `id`: as names have it. */
export const nameDetails = (id: string, hosts: ReadonlyArray<string>): ReadonlyArray<Detail> => {
  if (hosts.length === 0) return []
  const names = namesOf(id, hosts)
  return [["name", names.length > 0 ? names.join(", ") : `none: ${withoutName(id, hosts)}`]]
}
