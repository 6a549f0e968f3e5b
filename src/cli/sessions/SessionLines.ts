import { Either, Option } from "effect"
import { policyRows } from "../../domain/Policies.js"
import { onOrOff } from "../../domain/Reading.js"
import type { AddressGuard } from "../../downstream/AddressGuard.js"
import type { SessionStep } from "../../sessions/SessionRepo.js"
import { type CsvField, parseCsvRecord } from "./Csv.js"
import type { FileFormat } from "./FileFormat.js"
import type { FileRecord } from "./RecordSplitter.js"
import { isRecord, parseJson, type Parsed, sessionOf, unknownField } from "./SessionFile.js"
import { viewFields } from "./SessionView.js"

/** The field of an entry that is to be removed. */
const removeField = "remove"

/** The fields of an entry. */
export const entryFields: ReadonlySet<string> = new Set([...viewFields, removeField])

/** A step of a file, and the number of its line. */
export interface PlacedStep {
  readonly line: number
  readonly step: SessionStep
}

/** What an entry asks for: to store a session, or with `remove`, to remove it. */
const stepOf = (value: unknown, guard: AddressGuard): Parsed<SessionStep> => {
  if (!isRecord(value) || value[removeField] === undefined) return putOf(value, guard)
  const { [removeField]: remove, ...entry } = value
  if (typeof remove !== "boolean") return Either.left(`"${removeField}" must be true or false`)
  if (!remove) return putOf(entry, guard)
  const { id } = entry
  return typeof id === "string" && id !== ""
    ? Either.right({ _tag: "Remove", id })
    : Either.left('"id" must be a text that is not empty')
}

const putOf = (value: unknown, guard: AddressGuard): Parsed<SessionStep> =>
  Either.map(sessionOf(value, guard), (session) => ({ _tag: "Put", session }))

/** The columns of the header line, in their order. */
const columnsOf = (fields: ReadonlyArray<CsvField>): Parsed<ReadonlyArray<string>> => {
  const names = fields.map((field) => (field ?? "").trim().toLowerCase())
  const stranger = names.find((name) => !entryFields.has(name))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (!names.includes("id"))
    return Either.left('it is the header line, and has no column "id"; names stand there between commas')
  if (stranger !== undefined) return Either.left(unknownField(stranger, entryFields))
  return twice === undefined ? Either.right(names) : Either.left(`the column "${twice}" stands twice`)
}

const switches: ReadonlySet<string> = new Set([
  removeField,
  ...Object.values(policyRows).flatMap(({ column, fallback }) => (typeof fallback === "boolean" ? [column] : [])),
])

/** A field as JSON would have it; what is no switch's word stays a text, which is refused later. */
const valueOf = (column: string, field: string): unknown =>
  switches.has(column) ? Option.getOrElse(onOrOff.read(field), () => field) : field

/** Reads the entries of NDJSON or CSV, record by record. Blank lines are passed over. */
export class SessionLines {
  private columns: ReadonlyArray<string> | undefined

  constructor(
    private readonly format: Exclude<FileFormat, "json">,
    private readonly guard: AddressGuard,
  ) {}

  /** Whether records may have line breaks in quotation marks. */
  get quotes(): boolean {
    return this.format === "csv"
  }

  /** Whether nothing can be read for want of a header line. */
  get lacksHeader(): boolean {
    return this.format === "csv" && this.columns === undefined
  }

  /** The step of a record; `undefined` where it has none. */
  read({ line, text }: FileRecord): Either.Either<PlacedStep | undefined, string> {
    if (Either.isRight(text) && text.right.trim() === "") return Either.right(undefined)
    const read = (text: string) => (this.format === "csv" ? this.ofCsv(text) : this.ofJson(text))
    return Either.flatMap(text, read).pipe(
      Either.mapBoth({
        onLeft: (problem) => `line ${line}: ${problem}`,
        onRight: (step) => (step === undefined ? undefined : { line, step }),
      }),
    )
  }

  private ofJson(text: string): Parsed<SessionStep> {
    return Either.flatMap(parseJson(text), (value) => stepOf(value, this.guard))
  }

  private ofCsv(text: string): Parsed<SessionStep | undefined> {
    return Either.flatMap(parseCsvRecord(text), (fields) => {
      if (this.columns !== undefined) return this.ofRow(this.columns, fields)
      return Either.map(columnsOf(fields), (columns) => void (this.columns = columns))
    })
  }

  private ofRow(columns: ReadonlyArray<string>, fields: ReadonlyArray<CsvField>): Parsed<SessionStep> {
    if (fields.length !== columns.length)
      return Either.left(`it has ${fields.length} fields, and the header line ${columns.length}`)
    const entry: Record<string, unknown> = {}
    for (const [index, column] of columns.entries()) {
      const field = fields[index]
      // An empty field is as if it were not there.
      if (field !== undefined) entry[column] = valueOf(column, field)
    }
    return stepOf(entry, this.guard)
  }
}
