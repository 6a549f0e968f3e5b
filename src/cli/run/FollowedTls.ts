import { Effect, Either } from "effect"
import { readFileSync, statSync } from "node:fs"
import type { DownstreamTlsSettings } from "../../downstream/DownstreamTls.js"
import type { CommandFailed } from "../Failure.js"
import { readFiles, type TlsFiles, unreadable } from "./TlsFiles.js"

/** Default interval of checking the files, in milliseconds. */
const defaultCheckInterval = 1_000

/** Runs an effect that logs. A plain function, because its callers have no fiber. */
export type LogLine = (line: Effect.Effect<void>) => void

/** The longest tick of a file system's clock, in milliseconds. */
const clockTick = 100

/** A text that changes if the file at the path, or its content, changes; `undefined` if there is no file. */
const fingerprint = (path: string): string | undefined => {
  try {
    const found = statSync(path, { bigint: true })
    if (!found.isFile()) return undefined
    // The file may change once more within this tick, with the same times. So a fresh file always counts as changed.
    const isFresh = Math.abs(Date.now() - Number(found.ctimeMs)) < clockTick
    const { dev, ino, size, mtimeNs, ctimeNs } = found
    return [dev, ino, size, mtimeNs, ctimeNs, isFresh ? performance.now() : "settled"].join(" ")
  } catch {
    return undefined
  }
}

/** The text of a regular file. Nothing else is opened, because reading a pipe would block. */
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

/** Files that belong together, and the last valid value that was read from them. */
class Followed<A extends object> {
  /** The present content is invalid. */
  private isInvalid = false
  private readonly isFollowed: boolean

  private constructor(
    private readonly files: TlsFiles<A>,
    private seen: ReadonlyArray<string | undefined>,
    public value: A,
  ) {
    // A pipe, for example, can be read only once, so it is not followed.
    this.isFollowed = seen.every((file) => file !== undefined)
  }

  static read<A extends object>(files: TlsFiles<A>): Effect.Effect<Followed<A>, CommandFailed> {
    return Effect.gen(function* () {
      const seen = files.paths.map(fingerprint)
      return new Followed(files, seen, yield* readFiles(files))
    })
  }

  /** Reads the files if they have changed. Returns whether `value` has changed. */
  check(log: LogLine): boolean {
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
    if (!this.isInvalid)
      log(Effect.logWarning(`${problem}; the files that were read before stay in use until this is corrected`))
    this.isInvalid = true
    return false
  }

  private take(value: A, log: LogLine): boolean {
    const isOther = JSON.stringify(value) !== JSON.stringify(this.value)
    if (isOther || this.isInvalid) log(Effect.logInfo(`read again: ${this.files.paths.join(", ")}`))
    if (isOther) this.value = value
    this.isInvalid = false
    return isOther
  }
}

/**
 * The files of TLS connections to servers of sessions. They are read again when they change, because certificates are
 * replaced while the proxy runs, file by file or by changing a symbolic link. The files are checked by `current`, at
 * most once a second. While their content is invalid, for example because only one of two files has been replaced, the
 * former content stays in force.
 */
export class FollowedTls {
  private checkedAt = performance.now()

  private constructor(
    private readonly followed: ReadonlyArray<Followed<Partial<DownstreamTlsSettings>>>,
    private settings: DownstreamTlsSettings,
    private readonly checkInterval: number,
  ) {}

  /** Reads the files for the first time. `fallback`: the settings for which there is no file. */
  static read(
    files: ReadonlyArray<TlsFiles<Partial<DownstreamTlsSettings>>>,
    fallback: DownstreamTlsSettings,
    checkInterval = defaultCheckInterval,
  ): Effect.Effect<FollowedTls, CommandFailed> {
    return Effect.map(Effect.forEach(files, Followed.read), (followed) => {
      const tls = new FollowedTls(followed, fallback, checkInterval)
      tls.merge()
      return tls
    })
  }

  /** The settings in force. Returns the same object until they change. */
  current(log: LogLine): DownstreamTlsSettings {
    const now = performance.now()
    if (now - this.checkedAt < this.checkInterval) return this.settings
    this.checkedAt = now
    const changed = this.followed.map((files) => files.check(log))
    if (changed.includes(true)) this.merge()
    return this.settings
  }

  private merge(): void {
    this.settings = this.followed.reduce((settings, { value }) => ({ ...settings, ...value }), this.settings)
  }
}
