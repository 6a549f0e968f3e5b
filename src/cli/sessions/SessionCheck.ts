import { Effect, Either, Option } from "effect"
import { isForwarding, type Session } from "../../domain/Session.js"
import type { StoredPolicy } from "../../domain/SessionPolicy.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { usablePolicy } from "../../sessions/UsablePolicy.js"
import { parseDownstreamUrl } from "../../wire/DownstreamUrl.js"
import { CommandFailed } from "../Failure.js"
import { printDiagnostic } from "../Output.js"
import { mostSimilar } from "../../domain/Similar.js"
import { printable } from "../../wire/PrintableText.js"
import { idCaseInUse, idInNames } from "../IdCase.js"
import { withoutName } from "../SessionNames.js"
import { styleOf } from "../Style.js"

/** Fails with the problem, if there is one. */
export const refuse = (problem: Option.Option<string>, hint: string): Effect.Effect<void, CommandFailed> =>
  Option.match(problem, {
    onNone: () => Effect.void,
    onSome: (problem) => new CommandFailed({ code: "session_invalid", problem, hint }),
  })

export const urlHint = "give a URL such as http://localhost:9000/base"

/** Prints a note if requests with this status are not forwarded, which may be intended. */
export const warnOfStatus = (id: string, status: string): Effect.Effect<void> =>
  isForwarding(status)
    ? Effect.void
    : printDiagnostic(
        printable(
          `note: the status ${JSON.stringify(status)} does not forward, requests for ${id} are answered with 503; ` +
            "active, online and ready forward",
        ),
      )

/** Prints a note if this session has no name of its own, where others have one. */
export const warnOfName = (id: string, hosts: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.flatMap(idCaseInUse, (idCase) => {
    const problem = withoutName(idInNames(id, idCase), hosts)
    return problem === undefined ? Effect.void : printDiagnostic(printable(`note: ${id} has no name: ${problem}`))
  })

const speaksTls = (url: string): boolean =>
  Either.match(parseDownstreamUrl(url), { onLeft: () => false, onRight: ({ secure }) => secure })

const shownIds = 3

/** A stored session, or one to be stored. */
interface PolicyHolder {
  readonly id: string
  readonly url: string
  readonly policy?: Partial<StoredPolicy>
}

/** Sessions whose server's certificate is not verified: some of their ids, and how many there are. */
export class InsecureSessions {
  private readonly shown: Array<string> = []
  private count = 0

  /** Takes a session into account. */
  add({ id, url, policy }: PolicyHolder): void {
    if (policy?.insecure !== true || !speaksTls(url)) return
    if (++this.count <= shownIds) this.shown.push(id)
  }

  /** Warns of them, if there are any. */
  get warning(): Effect.Effect<void> {
    if (this.count === 0) return Effect.void
    const more = this.count > shownIds ? [`${this.count - shownIds} more`] : []
    const ids = printable([...this.shown, ...more].join(", "))
    return printDiagnostic(
      `${styleOf(process.stderr).red("warning:")} insecure: ${ids}: the certificate of the server is not verified, ` +
        "so anybody on the way there can pass for it; better give the proxy the authority to trust, with --downstream-ca",
    )
  }
}

/** Warns of sessions whose server's certificate is not verified. */
export const warnOfInsecure = (sessions: ReadonlyArray<PolicyHolder>): Effect.Effect<void> => {
  const insecure = new InsecureSessions()
  for (const session of sessions) insecure.add(session)
  return insecure.warning
}

/** Warns of a policy that cannot be used, such as fields that were set for another URL. */
export const warnOfPolicy = (session: Session): Effect.Effect<void> =>
  Either.match(usablePolicy(session), {
    onLeft: (problem) =>
      printDiagnostic(
        printable(
          `${styleOf(process.stderr).red("warning:")} requests for ${session.id} are answered with 502: ${problem}`,
        ),
      ),
    onRight: () => Effect.void,
  })

/** The failure for an unknown id, with the most similar id as a suggestion. */
export const unknownSession = (id: string): Effect.Effect<never, CommandFailed, SessionRepo> =>
  Effect.gen(function* () {
    const repo = yield* SessionRepo
    const sessions = yield* Effect.orElseSucceed(repo.list, () => [])
    const guess = mostSimilar(
      id,
      sessions.map((session) => session.id),
    )
    return yield* new CommandFailed({
      code: "session_not_found",
      problem: `there is no session ${JSON.stringify(id)}`,
      hint: guess === undefined ? 'see "ss-proxy sessions list"' : `did you mean ${JSON.stringify(guess)}?`,
    })
  })
