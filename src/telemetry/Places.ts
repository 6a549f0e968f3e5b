import { closeCodes, methods } from "./Catalogue.js"

const names: ReadonlyArray<string> = methods

/** The place of a method among `methods`: one of another name counts as the last. */
export const methodIndex = (method: string): number => {
  // What most requests are costs one comparison.
  if (method === "GET") return 0
  const index = names.indexOf(method)
  return index < 0 ? methods.length - 1 : index
}

const placeOf: ReadonlyMap<string, number> = new Map(closeCodes.map((code, index) => [code, index]))

/** The place of a close code among `closeCodes`: those of libraries and applications count together (RFC 6455 section 7.4.2). */
export const closeCodeIndex = (code: number): number => {
  const range = Math.trunc(code / 1_000)
  const name = range === 3 || range === 4 ? `${range}xxx` : String(code)
  return placeOf.get(name) ?? closeCodes.length - 1
}
