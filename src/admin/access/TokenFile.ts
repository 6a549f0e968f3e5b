import { readFileSync, type Stats, statSync } from "node:fs"
import { Data, Effect, Either } from "effect"
import { isToken } from "../../domain/Reading.js"

/** A token, and whether it only reads. */
export interface Token {
  readonly text: string
  readonly readOnly: boolean
}

/** The file of tokens cannot be used. `problem` is a phrase that quotes nothing of it. */
export class TokenFileError extends Data.TaggedError("TokenFileError")<{
  readonly path: string
  readonly problem: string
}> {
  override get message(): string {
    return `${this.path}: ${this.problem}`
  }
}

/** A token a line; `read ` before one that may only read. Empty lines, and those that begin with `#`, do not count. */
export const parseTokens = (text: string): Either.Either<ReadonlyArray<Token>, string> => {
  const tokens: Array<Token> = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const [, read, token = ""] = /^\s*(read\s+)?(\S+)\s*$/.exec(line) ?? []
    if (!isToken(token))
      return Either.left(`line ${index + 1} is no token: it must have at least 16 letters, digits and -._~+/`)
    tokens.push({ text: token, readOnly: read !== undefined })
  }
  return tokens.length === 0 ? Either.left("it holds no token") : Either.right(tokens)
}

/** At most so often it is asked whether the file has changed; milliseconds. */
const lookEvery = 1_000

const isSame = (one: Stats, other: Stats): boolean =>
  one.mtimeMs === other.mtimeMs && one.ino === other.ino && one.size === other.size

const problemOf = (cause: unknown): string =>
  cause instanceof Error && "code" in cause ? `it cannot be read (${String(cause.code)})` : "it cannot be read"

/** The tokens of a file, as it is at any moment. While it cannot be read, those that were read last stay in force. */
export class TokenFile {
  private lookedAt = performance.now()
  private told: string | undefined

  private constructor(
    private readonly path: string,
    private stats: Stats,
    private tokens: ReadonlyArray<Token>,
    /** Hears what is wrong with a file that was read before; once for each wrong. */
    private readonly warn: (problem: string) => void,
  ) {}

  static open(path: string, warn: (problem: string) => void): Effect.Effect<TokenFile, TokenFileError> {
    return Effect.suspend(() => {
      try {
        const stats = statSync(path)
        return Either.match(parseTokens(readFileSync(path, "utf8")), {
          onLeft: (problem) => new TokenFileError({ path, problem }),
          onRight: (tokens) => Effect.succeed(new TokenFile(path, stats, tokens, warn)),
        })
      } catch (cause) {
        return new TokenFileError({ path, problem: problemOf(cause) })
      }
    })
  }

  /** The tokens in force. Reads the file where it has changed, which is short. */
  current(): ReadonlyArray<Token> {
    const now = performance.now()
    if (now - this.lookedAt < lookEvery) return this.tokens
    this.lookedAt = now
    try {
      this.follow(statSync(this.path))
    } catch (cause) {
      this.tell(problemOf(cause))
    }
    return this.tokens
  }

  private follow(stats: Stats): void {
    if (isSame(stats, this.stats)) return
    const read = parseTokens(readFileSync(this.path, "utf8"))
    if (Either.isLeft(read)) return this.tell(read.left)
    this.stats = stats
    this.tokens = read.right
    this.told = undefined
  }

  private tell(problem: string): void {
    if (problem !== this.told) this.warn(`the admin tokens of ${this.path} stay as they were: ${problem}`)
    this.told = problem
  }
}
