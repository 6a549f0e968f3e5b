import type { Session } from "../../domain/Session.js"
import { printable } from "../../wire/PrintableText.js"
import { type CsvField, renderCsvRecord } from "../../transfer/Csv.js"
import { viewFields } from "../../transfer/SessionFields.js"
import type { FileFormat } from "./FileFormat.js"
import { backupOf, renderJson, renderJsonLine, type SessionView } from "./SessionView.js"

/** Renders sessions as a file holds them: what stands before, between and behind the pages. */
export interface SessionWriter {
  readonly page: (sessions: ReadonlyArray<Session>) => string
  readonly end: () => string
}

/** A JSON array, page by page: the same text as that of the whole array. */
export class JsonArray {
  private isEmpty = true

  /** The text of the next values, which are not none. */
  page(values: ReadonlyArray<unknown>): string {
    const before = this.isEmpty ? "[\n" : ",\n"
    this.isEmpty = false
    // Without the brackets, and the line breaks at them.
    return `${before}${renderJson(values).slice(2, -2)}`
  }

  end(): string {
    return this.isEmpty ? "[]\n" : "\n]\n"
  }
}

const json = (): SessionWriter => {
  const array = new JsonArray()
  return { page: (sessions) => array.page(sessions.map(backupOf)), end: () => array.end() }
}

const ndjson = (): SessionWriter => ({
  page: (sessions) => sessions.map((session) => `${renderJsonLine(backupOf(session))}\n`).join(""),
  end: () => "",
})

const columns = [...viewFields]

const fieldOf = (value: SessionView[string] | undefined): CsvField =>
  value === null || value === undefined ? undefined : String(value)

/** `isTerminal`: what could control the terminal is spelled out; in a file every text is as it is. */
const csv = (isTerminal: boolean): SessionWriter => {
  let header = renderCsvRecord(columns)
  const shown = (field: CsvField): CsvField => (field === undefined || !isTerminal ? field : printable(field))
  const begin = (): string => {
    const text = header
    header = ""
    return text
  }
  const record = (session: Session): string => {
    const view = backupOf(session)
    return renderCsvRecord(columns.map((column) => shown(fieldOf(view[column]))))
  }
  return { page: (sessions) => begin() + sessions.map(record).join(""), end: begin }
}

/** Renders all that a file in this format says of sessions, with the user info of their URLs. */
export const sessionWriter = (format: FileFormat, isTerminal: boolean): SessionWriter => {
  switch (format) {
    case "json":
      return json()
    case "ndjson":
      return ndjson()
    case "csv":
      return csv(isTerminal)
  }
}
