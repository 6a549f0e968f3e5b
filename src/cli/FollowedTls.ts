import { Effect, Either } from "effect"
import { readFileSync, statSync } from "node:fs"
import type { DownstreamTlsSettings } from "../downstream/DownstreamTls.js"
import type { CommandFailed } from "./Failure.js"
import { readFiles, type TlsFiles, unreadable } from "./TlsFiles.js"

/** How often files are looked at, in milliseconds. */
const everySecond = 1_000

/** Writes a line to the log; who does has no fiber. */
export type LogLine = (line: Effect.Effect<void>) => void

/** The clocks of file systems tick at least this often, in milliseconds. */
const clockTick = 100

/** Tells a file from any other at its path, and from itself with another content; `undefined` where there is none. */
const fingerprint = (path: string): string | undefined => {
  try {
    const found = statSync(path, { bigint: true })
    if (!found.isFile()) return undefined
    // Within the same tick it may change once more, and look the same: so it is looked into again.
    const isFresh = Math.abs(Date.now() - Number(found.ctimeMs)) < clockTick
    const { dev, ino, size, mtimeNs, ctimeNs } = found
    return [dev, ino, size, mtimeNs, ctimeNs, isFresh ? performance.now() : "settled"].join(" ")
  } catch {
    return undefined
  }
}

/** The text of a file. Anything else is not opened: a pipe would be waited for. */
const readFileAt = (path: string): string => {
  if (!statSync(path).isFile()) throw new Error("it is no file")
  return readFileSync(path, "utf8")
}

const readAgain = <A>({ paths, hints, parse }: TlsFiles<A>): Either.Either<A, CommandFailed> =>
  Either.flatMap(
    Either.all(
      paths.map((path, index) =>
        Either.try({
          try: () => readFileAt(path),
          catch: (cause) => unreadable(path, hints[index] ?? "", cause),
        }),
      ),
    ),
    parse,
  )

/** Files that are of use only together, and what was last read in them that could be used. */
class Followed<A extends object> {
  /** What stands in them now cannot be used. */
  private isWrong = false
  private readonly isFollowed: boolean

  private constructor(
    private readonly files: TlsFiles<A>,
    private seen: ReadonlyArray<string | undefined>,
    public value: A,
  ) {
    // A pipe, for example, can be read only once.
    this.isFollowed = seen.every((file) => file !== undefined)
  }

  static read<A extends object>(files: TlsFiles<A>): Effect.Effect<Followed<A>, CommandFailed> {
    return Effect.gen(function* () {
      const seen = files.paths.map(fingerprint)
      return new Followed(files, seen, yield* readFiles(files))
    })
  }

  /** Takes in what has changed. Whether there is anything else now than before. */
  look(log: LogLine): boolean {
    if (!this.isFollowed) return false
    const seen = this.files.paths.map(fingerprint)
    if (seen.every((file, index) => file === this.seen[index])) return false
    this.seen = seen
    return Either.match(readAgain(this.files), {
      onLeft: (failure) => this.keep(failure, log),
      onRight: (value) => this.take(value, log),
    })
  }

  private keep({ problem }: CommandFailed, log: LogLine): boolean {
    if (!this.isWrong)
      log(Effect.logWarning(`${problem}; what was read there before stays in force until it is mended`))
    this.isWrong = true
    return false
  }

  private take(value: A, log: LogLine): boolean {
    const isOther = JSON.stringify(value) !== JSON.stringify(this.value)
    if (isOther || this.isWrong) log(Effect.logInfo(`read again: ${this.files.paths.join(", ")}`))
    if (isOther) this.value = value
    this.isWrong = false
    return isOther
  }
}

/**
 * The files of TLS to servers of sessions, which are read again when they have changed: certificates are replaced while
 * the proxy runs, file by file or by turning a link. They are looked at when somebody asks, and not more than once a
 * second. What cannot be used, as between two files of which only one has been replaced, leaves the former in force.
 */
export class FollowedTls {
  private lookedAt = performance.now()

  private constructor(
    private readonly followed: ReadonlyArray<Followed<Partial<DownstreamTlsSettings>>>,
    private settings: DownstreamTlsSettings,
    private readonly lookInterval: number,
  ) {}

  /** Reads the files for the first time; what they do not give is that of `fallback`. */
  static read(
    files: ReadonlyArray<TlsFiles<Partial<DownstreamTlsSettings>>>,
    fallback: DownstreamTlsSettings,
    lookInterval = everySecond,
  ): Effect.Effect<FollowedTls, CommandFailed> {
    return Effect.map(Effect.forEach(files, Followed.read), (followed) => {
      const tls = new FollowedTls(followed, fallback, lookInterval)
      tls.settle()
      return tls
    })
  }

  /** What is in force now: the same object until it is another. */
  current(log: LogLine): DownstreamTlsSettings {
    const now = performance.now()
    if (now - this.lookedAt < this.lookInterval) return this.settings
    this.lookedAt = now
    const changed = this.followed.map((files) => files.look(log))
    if (changed.includes(true)) this.settle()
    return this.settings
  }

  private settle(): void {
    this.settings = this.followed.reduce((settings, { value }) => ({ ...settings, ...value }), this.settings)
  }
}
