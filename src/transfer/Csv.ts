import { Either } from "effect"

/** A field of a record; `undefined` where nothing stands between the commas, not even quotation marks. */
export type CsvField = string | undefined

const quotedField = (text: string, from: number): { readonly value: string; readonly end: number } | undefined => {
  let value = ""
  for (let at = from + 1; ;) {
    const mark = text.indexOf('"', at)
    if (mark < 0) return undefined
    value += text.slice(at, mark)
    if (text[mark + 1] !== '"') return { value, end: mark + 1 }
    value += '"'
    at = mark + 2
  }
}

/** The fields of a record (RFC 4180 section 2). Left: what is wrong with it. */
export const parseCsvRecord = (text: string): Either.Either<ReadonlyArray<CsvField>, string> => {
  const fields: Array<CsvField> = []
  for (let at = 0; ; at++) {
    if (text[at] === '"') {
      const field = quotedField(text, at)
      if (field === undefined) return Either.left("its quotation mark is not closed")
      fields.push(field.value)
      at = field.end
      if (at < text.length && text[at] !== ",") return Either.left("text stands behind a closing quotation mark")
    } else {
      const end = text.indexOf(",", at)
      const value = text.slice(at, end < 0 ? text.length : end)
      if (value.includes('"')) return Either.left("a quotation mark stands in a field that does not begin with one")
      fields.push(value === "" ? undefined : value)
      at += value.length
    }
    if (at >= text.length) return Either.right(fields)
  }
}

/** Fields that are the same without quotation marks, for every program. */
const isBare = (field: string): boolean => field !== "" && !/[",\r\n]|^\s|\s$|^\uFEFF/.test(field)

/** A record with its line break. An empty text is quoted, and nothing is not. */
export const renderCsvRecord = (fields: ReadonlyArray<CsvField>): string =>
  `${fields.map((field = "", index) => (fields[index] === undefined || isBare(field) ? field : `"${field.replaceAll('"', '""')}"`)).join(",")}\r\n`
