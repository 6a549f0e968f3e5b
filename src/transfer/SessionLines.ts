import { Either, Option } from "effect"
import { policyRows } from "../domain/Policies.js"
import { onOrOff } from "../domain/Reading.js"
import type { SessionStep } from "../sessions/SessionRepo.js"
import { type CsvField, parseCsvRecord } from "./Csv.js"
import type { FileRecord } from "./RecordSplitter.js"
import { isRecord, parseJson, type Parsed, sessionOf, unknownField } from "./SessionEntry.js"
import { viewFields } from "./SessionFields.js"
import type { HostGuard } from "./UrlProblem.js"

/** How lines hold sessions: a JSON object each, or fields between commas (RFC 4180). */
export type LineFormat = "ndjson" | "csv"

/** The field of an entry that is to be removed. */
const removeField = "remove"

/** The fields of an entry. */
const entryFields: ReadonlySet<string> = new Set([...viewFields, removeField])

/** A step of a file, and the number of its line. */
export interface PlacedStep {
  readonly line: number
  readonly step: SessionStep
}

/** What is wrong with an entry. */
export interface LineProblem {
  /** The number of its first line. */
  readonly line: number
  /** Its id, as far as it could be read. */
  readonly id: string | undefined
  /** A phrase. */
  readonly problem: string
}

type Fault = Omit<LineProblem, "line">
type Read<A> = Either.Either<A, Fault>

const withoutId = <A>(parsed: Parsed<A>): Read<A> => Either.mapLeft(parsed, (problem) => ({ id: undefined, problem }))

/** What an entry asks for: to store a session, or with `remove`, to remove it. */
const stepOf = (value: unknown, guard: HostGuard): Parsed<SessionStep> => {
  if (!isRecord(value) || value[removeField] === undefined) return putOf(value, guard)
  const { [removeField]: remove, ...entry } = value
  if (typeof remove !== "boolean") return Either.left(`"${removeField}" must be true or false`)
  if (!remove) return putOf(entry, guard)
  const { id } = entry
  return typeof id === "string" && id !== ""
    ? Either.right({ _tag: "Remove", id })
    : Either.left('"id" must be a text that is not empty')
}

const putOf = (value: unknown, guard: HostGuard): Parsed<SessionStep> =>
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
    private readonly format: LineFormat,
    private readonly guard: HostGuard,
  ) {}

  /** Whether records may have line breaks in quotation marks. */
  get quotes(): boolean {
    return this.format === "csv"
  }

  /** Whether nothing can be read because there is no header line. */
  get lacksHeader(): boolean {
    return this.format === "csv" && this.columns === undefined
  }

  /** The step of a record; `undefined` where it has none. */
  read({ line, text }: FileRecord): Either.Either<PlacedStep | undefined, LineProblem> {
    if (Either.isRight(text) && text.right.trim() === "") return Either.right(undefined)
    const read = (text: string) => (this.format === "csv" ? this.ofCsv(text) : this.ofJson(text))
    return Either.flatMap(withoutId(text), read).pipe(
      Either.mapBoth({
        onLeft: (fault) => ({ line, ...fault }),
        onRight: (step) => (step === undefined ? undefined : { line, step }),
      }),
    )
  }

  private ofEntry(value: unknown): Read<SessionStep> {
    const id = isRecord(value) && typeof value["id"] === "string" ? value["id"] : undefined
    return Either.mapLeft(stepOf(value, this.guard), (problem) => ({ id, problem }))
  }

  private ofJson(text: string): Read<SessionStep> {
    return Either.flatMap(withoutId(parseJson(text)), (value) => this.ofEntry(value))
  }

  private ofCsv(text: string): Read<SessionStep | undefined> {
    return Either.flatMap(withoutId(parseCsvRecord(text)), (fields) => {
      if (this.columns !== undefined) return this.ofRow(this.columns, fields)
      return Either.map(withoutId(columnsOf(fields)), (columns) => void (this.columns = columns))
    })
  }

  private ofRow(columns: ReadonlyArray<string>, fields: ReadonlyArray<CsvField>): Read<SessionStep> {
    const wrong = (problem: string): Read<never> => Either.left({ id: undefined, problem })
    if (fields.length !== columns.length)
      return wrong(`it has ${fields.length} fields, and the header line ${columns.length}`)
    const entry: Record<string, unknown> = {}
    for (const [index, column] of columns.entries()) {
      const field = fields[index]
      // An empty field is as if it were not there.
      if (field !== undefined) entry[column] = valueOf(column, field)
    }
    return this.ofEntry(entry)
  }
}
