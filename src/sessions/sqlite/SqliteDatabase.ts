/** What the library for SQLite does with a statement. `Parameters` and `Row` are what the caller says of its text. */
export interface Statement<Parameters extends ReadonlyArray<unknown> = ReadonlyArray<unknown>, Row = unknown> {
  /** Whether it gives rows. */
  readonly reader: boolean
  run(...parameters: Parameters): unknown
  get(...parameters: Parameters): Row | undefined
  all(...parameters: Parameters): Array<Row>
  /** From now on a row is the value of its first column. */
  pluck(): Statement<Parameters, Row>
  /** From now on a row is an array of its values; `false`: an object again. */
  raw(on?: boolean): Statement<Parameters, Row>
  columns(): ReadonlyArray<{ readonly name: string }>
}

/** An open database. Each text is prepared once; a failed preparation is tried again the next time. */
export interface Database {
  readonly inTransaction: boolean
  prepare<Parameters extends ReadonlyArray<unknown> = ReadonlyArray<unknown>, Row = unknown>(
    text: string,
  ): Statement<Parameters, Row>
  /** Runs statements that give nothing. */
  exec(text: string): void
  close(): void
}

export interface OpenOptions {
  readonly readonly?: boolean
  /** Otherwise an absent file is made, unless `readonly`. */
  readonly fileMustExist?: boolean
  /** How long this process stands still for a lock, in milliseconds. */
  readonly timeout: number
}

type AnyStatement = Statement<ReadonlyArray<unknown>, unknown>

/** Prepares each text once. */
export class KeptStatements {
  private readonly statements = new Map<string, AnyStatement>()

  constructor(private readonly prepareAnew: (text: string) => AnyStatement) {}

  prepare<Parameters extends ReadonlyArray<unknown> = ReadonlyArray<unknown>, Row = unknown>(
    text: string,
  ): Statement<Parameters, Row>
  // What a row holds is known to who wrote the text, and not to the compiler.
  prepare(text: string): AnyStatement {
    const statement = this.statements.get(text) ?? this.prepareAnew(text)
    this.statements.set(text, statement)
    return statement
  }
}
