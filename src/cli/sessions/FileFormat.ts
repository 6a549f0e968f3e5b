import { oneOf } from "../../domain/Reading.js"
import type { Flag } from "../Flag.js"

const formats = ["json", "ndjson", "csv"] as const

/** How a file holds sessions: one JSON array, a JSON object a line, or lines of fields between commas (RFC 4180). */
export type FileFormat = (typeof formats)[number]

export const format: Flag<FileFormat> = {
  name: "format",
  reading: oneOf("FORMAT", formats),
  about: "json, ndjson (a JSON object a line) or csv.",
}

/** The format that the end of a file's name says. */
export const formatOfName = (name: string): FileFormat | undefined => {
  const [, end] = /\.(csv|ndjson|jsonl|json)$/i.exec(name) ?? []
  return end?.toLowerCase() === "jsonl" ? "ndjson" : formats.find((format) => format === end?.toLowerCase())
}

/** A line whose fields are between commas, one of them `id`. */
const csvHeader = /^(?:[^\n]*,)?"?id"?(?:,|\r?\n|\r?$)/

/**
 * The format of a file by its name, else by its first bytes. A file that is named `.json` may have an object a line, as
 * earlier versions took it.
 */
export const guessFormat = (name: string, beginning: string): FileFormat => {
  const named = formatOfName(name)
  if (named !== undefined && named !== "json") return named
  const text = beginning.trimStart()
  if (text.startsWith("{")) return "ndjson"
  if (text === "" || text.startsWith("[") || named === "json") return "json"
  return csvHeader.test(text) ? "csv" : "ndjson"
}
