import { Effect, Either, type Scope } from "effect"
import { constants, isUtf8 } from "node:buffer"
import { createReadStream, statSync } from "node:fs"
import { CommandFailed } from "../Failure.js"
import { fileFault } from "../FileFault.js"
import { type FileFormat, guessFormat } from "./FileFormat.js"

/** A file that is read from its beginning to its end. */
export interface FileSource {
  /** How messages name it. */
  readonly name: string
  readonly format: FileFormat
  /** Its bytes in all; `undefined` where that is not known. */
  readonly size: number | undefined
  /** The next bytes; none at the end. */
  readonly next: Effect.Effect<Buffer | undefined, CommandFailed>
}

/** Bytes that are read at once. */
const chunkSize = 262_144

const unreadable = (name: string, cause: unknown): CommandFailed =>
  new CommandFailed({
    problem: `cannot read ${name}: ${fileFault(cause)}`,
    hint: "give the path of a file that sessions export wrote, or - for standard input",
  })

const sizeOf = (file: string): number | undefined => {
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats?.isFile() === true ? stats.size : undefined
}

const refuseUtf16 = (name: string, chunk: Buffer | undefined): Effect.Effect<void, CommandFailed> =>
  chunk?.[0] === 0xff || (chunk?.[0] === 0xfe && chunk[1] === 0xff)
    ? new CommandFailed({ problem: `${name} is not UTF-8`, hint: "save it as UTF-8, and import that" })
    : Effect.void

/** Opens a file; `-` is standard input. Without `format` its name and its first bytes tell it. */
export const openSource = (
  file: string,
  format: FileFormat | undefined,
): Effect.Effect<FileSource, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const isInput = file === "-"
    const name = isInput ? "standard input" : file
    const stream = isInput ? process.stdin : createReadStream(file, { highWaterMark: chunkSize })
    const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
    yield* Effect.addFinalizer(() => Effect.sync(() => void stream.destroy()))
    const read = Effect.tryPromise({ try: () => chunks.next(), catch: (cause) => unreadable(name, cause) }).pipe(
      Effect.map(({ done, value }) => (done === true ? undefined : value)),
    )
    let first = yield* read
    yield* refuseUtf16(name, first)
    const next = Effect.suspend(() => {
      const chunk = first
      first = undefined
      return chunk === undefined ? read : Effect.succeed(chunk)
    })
    const beginning = first?.toString("utf8", 0, 4_096).replace(/^\uFEFF/, "") ?? ""
    return {
      name,
      format: format ?? guessFormat(isInput ? "" : file, beginning),
      size: isInput ? undefined : sizeOf(file),
      next,
    }
  })

/** The whole text. */
export const readWhole = ({ name, next }: FileSource): Effect.Effect<string, CommandFailed> =>
  Effect.gen(function* () {
    const chunks: Array<Buffer> = []
    let size = 0
    for (let chunk = yield* next; chunk !== undefined; chunk = yield* next) {
      chunks.push(chunk)
      size += chunk.length
      if (size > constants.MAX_STRING_LENGTH)
        return yield* new CommandFailed({
          problem: `${name} is too large for a JSON file`,
          hint: "export it as NDJSON or CSV, which are read in pieces",
        })
    }
    return yield* textOf(name, Buffer.concat(chunks))
  })

const textOf = (name: string, bytes: Buffer): Either.Either<string, CommandFailed> =>
  isUtf8(bytes)
    ? Either.right(bytes.toString("utf8"))
    : Either.left(new CommandFailed({ problem: `${name} is not UTF-8`, hint: "save it as UTF-8, and import that" }))
