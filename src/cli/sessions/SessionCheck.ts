import { Effect, Either, Option } from "effect"
import { isIP } from "node:net"
import { isForwarding } from "../../domain/Session.js"
import type { StoredPolicy } from "../../domain/SessionPolicy.js"
import type { AddressGuard } from "../../downstream/AddressGuard.js"
import { SessionRepo } from "../../sessions/SessionRepo.js"
import { unusableUrl } from "../../sessions/SessionRules.js"
import { parseDownstreamUrl } from "../../wire/DownstreamUrl.js"
import { CommandFailed } from "../Failure.js"
import { printDiagnostic } from "../Output.js"
import { mostSimilar } from "../Similar.js"
import { printable } from "../../wire/PrintableText.js"
import { styleOf } from "../Style.js"

const hostProblem = (hostname: string, guard: AddressGuard): Option.Option<string> =>
  Option.fromNullable(isIP(hostname) === 0 ? undefined : guard.denialOf(hostname)).pipe(
    Option.map(({ problem }) => `${problem} (see --deny-downstream and --allow-downstream)`),
  )

/**
 * Why a session cannot have this URL; nothing if it can. A host name is not resolved; the proxy checks its addresses
 * when it connects.
 */
export const urlProblem = (url: string, guard: AddressGuard): Option.Option<string> =>
  Either.match(parseDownstreamUrl(url), {
    onLeft: ({ problem }) => Option.some(problem),
    onRight: ({ hostname }) => hostProblem(hostname, guard),
  }).pipe(Option.map((problem) => unusableUrl(url, problem)))

/** Fails with the problem, if there is one. */
export const refuse = (problem: Option.Option<string>, hint: string): Effect.Effect<void, CommandFailed> =>
  Option.match(problem, {
    onNone: () => Effect.void,
    onSome: (problem) => new CommandFailed({ problem, hint }),
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

const speaksTls = (url: string): boolean =>
  Either.match(parseDownstreamUrl(url), { onLeft: () => false, onRight: ({ secure }) => secure })

const shownIds = 3

/** A stored session, or one to be stored. */
interface PolicyHolder {
  readonly id: string
  readonly url: string
  readonly policy?: Partial<StoredPolicy>
}

const idsOf = (sessions: ReadonlyArray<PolicyHolder>): string => {
  const shown = sessions.slice(0, shownIds).map(({ id }) => id)
  const more = sessions.length > shownIds ? [`${sessions.length - shownIds} more`] : []
  return printable([...shown, ...more].join(", "))
}

/** Warns of sessions whose server's certificate is not verified. */
export const warnOfInsecure = (sessions: ReadonlyArray<PolicyHolder>): Effect.Effect<void> => {
  const insecure = sessions.filter(({ url, policy }) => policy?.insecure === true && speaksTls(url))
  if (insecure.length === 0) return Effect.void
  return printDiagnostic(
    `${styleOf(process.stderr).red("warning:")} insecure: ${idsOf(insecure)}: the certificate of the server is not verified, ` +
      "so anybody on the way there can pass for it; better give the proxy the authority to trust, with --downstream-ca",
  )
}

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
      problem: `there is no session ${JSON.stringify(id)}`,
      hint: guess === undefined ? 'see "ss-proxy sessions list"' : `did you mean ${JSON.stringify(guess)}?`,
    })
  })
