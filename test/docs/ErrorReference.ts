import * as Errors from "../../src/domain/ProxyError.js"
import { describeError } from "../../src/wire/Reply.js"
import { table } from "./MarkdownTable.js"

type ProxyError = Errors.ProxyError

/** What the documents say of an error, beside what the program itself knows of it. */
interface Entry<Tag extends ProxyError["_tag"]> {
  /** One of each kind that has an answer of its own. */
  readonly samples: ReadonlyArray<Extract<ProxyError, { readonly _tag: Tag }>>
  readonly meaning: string
  readonly remedy: string
}

const address = "192.0.2.1:9000"
const sessionId = "my-session"
const shortages = ["files", "ports", "memory"] as const
const reasons = ["refused", "dns", "tls", "certificate", "timeout", "unroutable", "denied", "failed"] as const

/** An error without an entry does not compile. What hooks and stages refuse with is for the program that brings them to document. */
const entries: { readonly [Tag in Exclude<ProxyError["_tag"], "HookRefused" | "StageRefused">]: Entry<Tag> } = {
  BadRequest: {
    samples: [new Errors.BadRequest({ detail: "" })],
    meaning:
      "The request is not valid HTTP, it can be read in two ways, its target cannot be read, or it is a WebSocket handshake that breaks RFC 6455.",
    remedy: "`detail` names the rule. Fix the client.",
  },
  SessionNotFound: {
    samples: [new Errors.SessionNotFound({ sessionId })],
    meaning: "There is no session with this id, or the path names no session.",
    remedy: "Compare the first segment of the path with `ss-proxy sessions list`.",
  },
  MethodNotAllowed: {
    samples: [new Errors.MethodNotAllowed({ allow: "GET, HEAD", detail: "" })],
    meaning: "The method is TRACE, or it is not GET or HEAD and the path is `/health`.",
    remedy: "Use a method that is in `Allow`.",
  },
  RequestTimeout: {
    samples: [new Errors.RequestTimeout({ detail: "" })],
    meaning:
      "The client stopped sending, or sends too slowly: no complete head within `--head-timeout`, no byte of the body for `--body-timeout`, or less than `--min-rate`.",
    remedy: "Check the client and its network.",
  },
  BodyTooLarge: {
    samples: [new Errors.BodyTooLarge({ limit: 0 })],
    meaning: "The body is larger than `--max-body`.",
    remedy: "Send less, or raise `--max-body`.",
  },
  TargetTooLong: {
    samples: [new Errors.TargetTooLong({ limit: 0 })],
    meaning: "The target of the request is longer than `--max-target-length`.",
    remedy: "Send long queries as the body of a POST, or raise `--max-target-length`, and `--max-header-size` with it.",
  },
  UpgradeRequired: {
    samples: [new Errors.UpgradeRequired({ detail: "" })],
    meaning:
      "A plain request for `/ws/{session_id}`, which is only for WebSockets; or a WebSocket version other than 13.",
    remedy: "Leave out `/ws`, or open a WebSocket. A proxy in front must pass on `Upgrade` and `Connection`.",
  },
  SessionLimit: {
    samples: [new Errors.SessionLimit({ detail: "" })],
    meaning:
      "`--max-requests-per-session`, `--max-websockets-per-session` or `--max-websockets` is reached; or `--max-downstream-per-session` is, and no connection became free within `--queue-timeout`; or so many requests wait for the session's server, which cannot be reached, as `--max-held-per-session` says.",
    remedy:
      "Try again after `Retry-After`. Its clients ask for more at a time than the session may have; neither its server nor the proxy has failed. So it counts as the client's fault, and `ss-proxy errors` does not show it.",
  },
  ClientLimit: {
    samples: [new Errors.ClientLimit({ limit: 0 })],
    meaning: "The client's IPv4 address, or its /64 of IPv6, has `--max-connections-per-client` connections open.",
    remedy:
      "Use each connection for more requests. If the client is a proxy in front of this one, name it in `--trusted-proxies`: then it has no such limit.",
  },
  HeadersTooLarge: {
    samples: [new Errors.HeadersTooLarge({ limit: 0 })],
    meaning: "The head of the request, target included, is larger than `--max-header-size`.",
    remedy: "Send fewer or smaller fields, or raise `--max-header-size`. Cookies are the usual cause.",
  },
  DownstreamUnreachable: {
    samples: reasons.map((reason) => new Errors.DownstreamUnreachable({ reason, address })),
    meaning:
      "The proxy cannot connect to the session's server: refused, unknown name, TLS, timeout, no route, or a denied address.",
    remedy:
      "Check that the server runs and listens where the session's URL says. `detail` and the log name the reason. [SECURITY.md](SECURITY.md) explains certificates and denied addresses.",
  },
  DownstreamReset: {
    samples: [new Errors.DownstreamReset({ address })],
    meaning: "The server closed the connection before its response began.",
    remedy:
      "Check the server's log: it crashed, or it closes connections that it should keep. " +
      "Perhaps the server speaks TLS and the URL says `http`.",
  },
  DownstreamProtocol: {
    samples: [new Errors.DownstreamProtocol({ address, problem: "" })],
    meaning: "The server sent something that is not a valid HTTP/1.1 response.",
    remedy: "The log names the rule. Perhaps the server speaks TLS and the URL says `http`.",
  },
  DownstreamUrlInvalid: {
    samples: [new Errors.DownstreamUrlInvalid({ sessionId, problem: "" })],
    meaning: "The URL in the session's row cannot be used.",
    remedy:
      "`ss-proxy sessions show ID` and the log say why. `ss-proxy sessions set ID --url URL` refuses such URLs; other writers do not.",
  },
  SessionPolicyInvalid: {
    samples: [new Errors.SessionPolicyInvalid({ sessionId, problem: "" })],
    meaning: "A policy stored for the session cannot be used.",
    remedy:
      "`ss-proxy sessions show ID` and the log say which policy and why ([DATABASE.md](DATABASE.md#policies)). `ss-proxy sessions set` refuses such values; other writers may store them.",
  },
  SessionControlInvalid: {
    samples: [new Errors.SessionControlInvalid({ sessionId, problem: "" })],
    meaning: "A value in the session's row of `session_control` cannot be used.",
    remedy:
      "`ss-proxy sessions show ID` and the log say which value and why ([DATABASE.md](DATABASE.md#control)). `ss-proxy sessions kill ID` writes the values of a kill anew, `ss-proxy sessions resume ID` those of a drain.",
  },
  SessionUnavailable: {
    samples: [new Errors.SessionUnavailable({ sessionId, status: "paused" })],
    meaning:
      "The session's status is not active, online or ready; or it drains (`Retry-After` is then the time that is left, and `detail` says so); or it was killed, or its URL or `insecure` changed, while this request waited.",
    remedy:
      "If it is the status: `ss-proxy sessions set ID --status active`. If it drains: `ss-proxy sessions resume ID`. Otherwise try again after `Retry-After`.",
  },
  Draining: {
    samples: [new Errors.Draining()],
    meaning:
      "The proxy is stopping. `/health` says so at once. A request for a session gets this only if its head began before the stop and was not complete 2.5 seconds after the proxy had closed its port.",
    remedy: "Try again, at another proxy if there is one.",
  },
  Overloaded: {
    samples: [new Errors.Overloaded({ limit: 0 })],
    meaning:
      "`--max-connections` is reached; or `--max-downstream` is, and no connection became free within `--queue-timeout`; or so many requests wait for servers that cannot be reached as `--max-held` says.",
    remedy: "Raise the limit if the machine has room, or run more proxies.",
  },
  SystemShortage: {
    samples: shortages.map((lacking) => new Errors.SystemShortage({ lacking, address, hint: "" })),
    meaning:
      "Also: the proxy's machine has no file descriptor, port or memory left for a connection to the session's server.",
    remedy:
      "If the machine has run out of something, the log says what is missing and what to do ([CONFIGURATION.md](CONFIGURATION.md#limits-of-the-system)).",
  },
  StoreUnavailable: {
    samples: [new Errors.StoreUnavailable({ problem: "", hint: "" })],
    meaning:
      "The database cannot be read now, or has been away for longer than `--max-stale`. The session may still exist.",
    remedy: "The log says what is wrong with the database and what to do ([DATABASE.md](DATABASE.md)).",
  },
  Defect: {
    samples: [new Errors.Defect({ place: "hook", cause: undefined })],
    meaning:
      "Code threw an exception that it should not have: a hook or a stage of the program that embeds the proxy, or the proxy itself.",
    remedy:
      'The log has it: "a defect in …" says in what, with the calls that led there. Correct the hook or the stage. If the proxy is at fault, please report it.',
  },
  DownstreamTimeout: {
    samples: [new Errors.DownstreamTimeout({ address, milliseconds: 0 })],
    meaning: "The server has the whole request, but did not begin to answer within `--timeout`.",
    remedy: "Raise `--timeout`, or let the server send the head of its response earlier.",
  },
  LoopDetected: {
    samples: [new Errors.LoopDetected({ sessionId })],
    meaning: "The session's URL names this proxy, or the request has passed this proxy already.",
    remedy: "Change the session's URL: it leads back to the proxy, directly or through other servers.",
  },
}

const whose = { client: "client", downstream: "session's server", proxy: "proxy" } as const

interface Line {
  readonly status: number
  readonly code: string
  readonly tokens: string
  readonly fault: string
  readonly meaning: string
  readonly remedy: string
  readonly retry: boolean
}

/** What the documents say of any one error. */
interface AnyEntry extends Pick<Entry<ProxyError["_tag"]>, "meaning" | "remedy"> {
  readonly samples: ReadonlyArray<ProxyError>
}

/** Errors of one code are one line: what a client is told of them is the same. */
const lineOf = (together: ReadonlyArray<AnyEntry>): Line => {
  const samples = together.flatMap((entry) => entry.samples)
  const answers = samples.map((sample) => describeError(sample))
  const [error] = samples
  const [first] = answers
  if (error === undefined || first === undefined) throw new Error("an entry without a sample")
  return {
    status: first.status,
    code: first.code,
    tokens: [...new Set(answers.map(({ proxyStatus }) => `\`${proxyStatus}\``))].join(", "),
    fault: whose[error.fault],
    meaning: together.map(({ meaning }) => meaning).join(" "),
    remedy: together.map(({ remedy }) => remedy).join(" "),
    retry: first.fields?.includes("Retry-After") === true,
  }
}

const codeOf = ({ samples: [sample] }: AnyEntry): string => (sample === undefined ? "" : describeError(sample).code)

const all: ReadonlyArray<AnyEntry> = Object.values(entries)

/** Every error that a client can be told, in all its forms. */
export const errorSamples: ReadonlyArray<ProxyError> = all.flatMap(({ samples }) => samples)

const lines: ReadonlyArray<Line> = [...new Set(all.map(codeOf))]
  .map((code) => lineOf(all.filter((entry) => codeOf(entry) === code)))
  .sort((a, b) => a.status - b.status)

/** Markdown as the dashboard shows it: without links. What is code stays so. */
const plain = (markdown: string): string => markdown.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1")

/** What the dashboard says of what it can show: what clients do wrong is not remembered. */
export const causesOfPage = (): string => {
  const shown = lines.filter(({ fault }) => fault !== whose.client)
  const causes = shown.map(({ code, meaning, remedy }) => [code, { meaning: plain(meaning), remedy: plain(remedy) }])
  return `${JSON.stringify(Object.fromEntries(causes), undefined, 2)}\n`
}

const sections = (): string =>
  lines
    .map(({ status, code, tokens, fault, meaning, remedy, retry }) =>
      [
        `## ${status} \`${code}\``,
        "",
        meaning,
        "",
        `- Fault: ${fault}`,
        `- \`Proxy-Status\` error: ${tokens}`,
        ...(retry ? ["- `Retry-After`: 1"] : []),
        `- What to do: ${remedy}`,
      ].join("\n"),
    )
    .join("\n\n")

/** The whole of docs/ERRORS.md. */
export const errorsDocument = (): string => `# Errors

<!-- Made by \`node scripts/docs.mjs\` from src/wire/Reply.ts and test/docs/ErrorReference.ts. -->

These are the proxy's own errors. Any other status, even 4xx and 5xx, is the answer of the session's
server, passed on unchanged. Only the proxy's own errors have \`Proxy-Status: ss-proxy; …\`: if a server sends a member of that
name, the proxy removes it. [TROUBLESHOOTING.md](TROUBLESHOOTING.md) says where to look for each.

- The body is \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and \`request_id\`.
  If \`Accept\` prefers \`text/html\` to JSON, as in browsers, the client gets a small page with the same facts. An \`Accept\` of
  more than 1,000 bytes is not read.
- \`code\` is stable: use it in programs. \`detail\` is for people and may change.
- \`Proxy-Status\` (RFC 9209) has the error type, from the RFC's registry if one fits.
- \`X-Request-Id\` is the request's own id, or a new one. The line with the same \`request_id\` in the proxy's log has the
  server's address and the cause. The client sees neither. Mistakes of clients are logged at level \`debug\`.
- If a response breaks off after its head was passed on, there can be no error answer. The client's connection is reset, so that the
  truncated response does not look complete.
- In a program that embeds the proxy, hooks may refuse requests with a status and \`code\` of their own
  ([LIBRARY.md](LIBRARY.md#a-hook-before-forwarding)).

${table(
  ["status", "`code`", "fault", "`Proxy-Status` error"],
  lines.map(({ status, code, fault, tokens }) => [String(status), `[\`${code}\`](#${status}-${code})`, fault, tokens]),
)}

${sections()}
`
