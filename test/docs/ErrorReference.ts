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

/** An error without an entry does not compile. What a hook refuses with is for the program that brings it to document. */
const entries: { readonly [Tag in Exclude<ProxyError["_tag"], "HookRefused">]: Entry<Tag> } = {
  BadRequest: {
    samples: [new Errors.BadRequest({ detail: "" })],
    meaning:
      "The request is not valid HTTP, can be read in two ways, has a target that cannot be read, or is a WebSocket handshake that breaks RFC 6455.",
    remedy: "`detail` names the rule. Mend the client.",
  },
  SessionNotFound: {
    samples: [new Errors.SessionNotFound({ sessionId })],
    meaning: "No session has this id, or the path names none.",
    remedy: "Look at the first segment of the path, and at `ss-proxy sessions list`.",
  },
  MethodNotAllowed: {
    samples: [new Errors.MethodNotAllowed({ allow: "GET, HEAD", detail: "" })],
    meaning: "`/health` was asked with another method than GET or HEAD, or anything with TRACE.",
    remedy: "Use a method that `Allow` names.",
  },
  RequestTimeout: {
    samples: [new Errors.RequestTimeout({ detail: "" })],
    meaning:
      "The client stopped sending: no whole head within `--head-timeout`, no byte of the body for `--body-timeout`, or fewer than `--min-rate`.",
    remedy: "Look at the client and at its network.",
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
      "A plain request for `/ws/{session_id}`, which is for WebSockets; or a WebSocket of another version than 13.",
    remedy: "Leave `/ws` out, or open a WebSocket. A proxy in front has to pass `Upgrade` and `Connection` on.",
  },
  SessionLimit: {
    samples: [new Errors.SessionLimit({ detail: "" })],
    meaning:
      "There are as many requests or WebSockets as `--max-requests-per-session`, `--max-websockets-per-session` or `--max-websockets` allow; or none of the connections that `--max-downstream-per-session` allows came free within `--queue-timeout`.",
    remedy: "Try again after `Retry-After`.",
  },
  ClientLimit: {
    samples: [new Errors.ClientLimit({ limit: 0 })],
    meaning: "The client's address, or its /64 of IPv6, has `--max-connections-per-client` connections open.",
    remedy:
      "Use connections again. Proxies in front of this one belong in `--trusted-proxies`: they have no such limit.",
  },
  HeadersTooLarge: {
    samples: [new Errors.HeadersTooLarge({ limit: 0 })],
    meaning: "The head of the request, target included, is larger than `--max-header-size`.",
    remedy: "Send fewer or smaller fields, for cookies are the usual cause, or raise `--max-header-size`.",
  },
  DownstreamUnreachable: {
    samples: reasons.map((reason) => new Errors.DownstreamUnreachable({ reason, address })),
    meaning:
      "No connection to the session's server: refused, unknown name, TLS, timeout, no route, an address that is denied.",
    remedy:
      "Is it running, and does it listen where the session's URL says? `detail` and the log tell which it was; [SECURITY.md](SECURITY.md) is about certificates and addresses that are denied.",
  },
  DownstreamReset: {
    samples: [new Errors.DownstreamReset({ address })],
    meaning: "The server closed the connection before its response had begun.",
    remedy:
      "Look at the server's log: it crashed, or it closes connections that it should keep. " +
      "Perhaps it speaks TLS and the URL says `http`.",
  },
  DownstreamProtocol: {
    samples: [new Errors.DownstreamProtocol({ address, problem: "" })],
    meaning: "What the server sent is not a valid HTTP/1.1 response.",
    remedy: "The log names the rule that it broke. Perhaps it speaks TLS and the URL says `http`.",
  },
  DownstreamUrlInvalid: {
    samples: [new Errors.DownstreamUrlInvalid({ sessionId, problem: "" })],
    meaning: "The URL in the session's row cannot be used.",
    remedy: "The log says why. `ss-proxy sessions set ID --url URL` refuses such URLs; other writers do not.",
  },
  SessionPolicyInvalid: {
    samples: [new Errors.SessionPolicyInvalid({ sessionId, problem: "" })],
    meaning: "A policy stored for the session cannot be used.",
    remedy:
      "The log says which and why ([DATABASE.md](DATABASE.md#policies)). `ss-proxy sessions set` writes no such policy; other writers may.",
  },
  SessionUnavailable: {
    samples: [new Errors.SessionUnavailable({ sessionId, status: "paused" })],
    meaning: "The session's status is none of active, online and ready, or its URL changed while this request waited.",
    remedy: "`ss-proxy sessions set ID --status active`; else try again after `Retry-After`.",
  },
  Draining: {
    samples: [new Errors.Draining()],
    meaning: "The proxy was told to stop and takes nothing new.",
    remedy: "Try again, at another proxy if there is one.",
  },
  Overloaded: {
    samples: [new Errors.Overloaded({ limit: 0 })],
    meaning:
      "The proxy has `--max-connections` connections of clients open, or none of the `--max-downstream` to servers came free within `--queue-timeout`.",
    remedy: "Raise the limit if the machine can bear it, or run more proxies.",
  },
  SystemShortage: {
    samples: shortages.map((lacking) => new Errors.SystemShortage({ lacking, address, hint: "" })),
    meaning:
      "Or its system gives it no file descriptor, no port or no memory for a connection to the session's server.",
    remedy:
      "In the last case the log says what there is too little of, and what to do ([CONFIGURATION.md](CONFIGURATION.md#limits-of-the-system)).",
  },
  StoreUnavailable: {
    samples: [new Errors.StoreUnavailable({ problem: "", hint: "" })],
    meaning: "The database cannot be read now. It does not mean that the session is gone.",
    remedy: "The log says what is wrong with the file and what to do ([DATABASE.md](DATABASE.md)).",
  },
  DownstreamTimeout: {
    samples: [new Errors.DownstreamTimeout({ address, milliseconds: 0 })],
    meaning: "The server has the whole request, and did not begin to answer within `--timeout`.",
    remedy: "Raise `--timeout`, or let the server send its head before it is done.",
  },
  LoopDetected: {
    samples: [new Errors.LoopDetected({ sessionId })],
    meaning: "The session's URL names this proxy, or the request has been through it already.",
    remedy: "Change the session's URL: it leads back to the proxy, at once or by way of others.",
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

const lines: ReadonlyArray<Line> = [...new Set(all.map(codeOf))]
  .map((code) => lineOf(all.filter((entry) => codeOf(entry) === code)))
  .sort((a, b) => a.status - b.status)

/** The short table of README.md. */
export const shortTable = (): string =>
  table(
    ["status", "`code`", "when"],
    lines.map(({ status, code, meaning }) => [String(status), `\`${code}\``, meaning]),
  )

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

These are the answers that the proxy gives on its own account. Every other status, 4xx and 5xx too, is the answer of
the session's server, passed on as it is. To tell them apart: the proxy's own carry \`Proxy-Status: ss-proxy; …\`, and
no other does: a server's own word of that name is removed.

- The body is \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and \`request_id\`.
  A client whose \`Accept\` prefers \`text/html\` to JSON, as browsers' do, gets the same facts as a small page; one of more
  than 1,000 bytes is not read.
- \`code\` is stable; write programs against it. \`detail\` is for people and may change.
- \`Proxy-Status\` (RFC 9209) holds the error type. The types are those of the RFC's registry, where it has one that fits.
- \`X-Request-Id\` is the request's own id, or a new one. The line in the proxy's log with the same \`request_id\` names the
  server's address and the cause; neither is told to the client. Faults of clients are logged at the level \`debug\`.
- A response that breaks off after its head was passed on gets no answer: the client's connection is reset, so that the
  truncated response cannot look complete.
- Where another program has the proxy built in, its hooks may refuse requests with a status and \`code\` of their own
  ([LIBRARY.md](LIBRARY.md#a-hook-before-forwarding)).

${table(
  ["status", "`code`", "fault", "`Proxy-Status` error"],
  lines.map(({ status, code, fault, tokens }) => [String(status), `[\`${code}\`](#${status}-${code})`, fault, tokens]),
)}

${sections()}
`

const mark = /(<!-- errors -->\n)[^]*?(<!-- \/errors -->)/

/** README.md with its table of errors brought up to date. */
export const withShortTable = (readme: string): string =>
  readme.replace(mark, (_whole, open: string, close: string) => `${open}\n${shortTable()}\n\n${close}`)
