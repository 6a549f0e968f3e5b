import { isIP } from "node:net"
import { Either, Option } from "effect"
import { unusableUrl, urlProblem as ruleProblem } from "../sessions/SessionRules.js"
import { parseDownstreamUrl } from "../wire/DownstreamUrl.js"

/** Says which addresses no session may have: `AddressGuard`. */
export interface HostGuard {
  readonly denialOf: (address: string) => { readonly problem: string } | undefined
}

const hostProblem = (hostname: string, guard: HostGuard): Option.Option<string> =>
  Option.fromNullable(isIP(hostname) === 0 ? undefined : guard.denialOf(hostname)).pipe(
    Option.map(({ problem }) => `${problem} (see --deny-downstream and --allow-downstream)`),
  )

/**
 * Why a session cannot have this URL; nothing if it can. A host name is not resolved; the proxy checks its addresses
 * when it connects.
 */
export const urlProblem = (url: string, guard: HostGuard): Option.Option<string> =>
  Option.orElse(ruleProblem(url), () =>
    Either.match(parseDownstreamUrl(url), {
      onLeft: () => Option.none(),
      onRight: ({ hostname }) => Option.map(hostProblem(hostname, guard), (problem) => unusableUrl(url, problem)),
    }),
  )
