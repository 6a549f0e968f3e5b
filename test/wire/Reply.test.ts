import { assert, describe, it } from "@effect/vitest"
import {
  BadRequest,
  BodyTooLarge,
  ClientLimit,
  DownstreamProtocol,
  DownstreamReset,
  DownstreamTimeout,
  DownstreamUnreachable,
  DownstreamUrlInvalid,
  Draining,
  HeadersTooLarge,
  LoopDetected,
  MethodNotAllowed,
  Overloaded,
  type ProxyError,
  RequestTimeout,
  SessionLimit,
  SessionNotFound,
  SessionPolicyInvalid,
  SessionControlInvalid,
  SessionUnavailable,
  StoreUnavailable,
  SystemShortage,
  TargetTooLong,
  UpgradeRequired,
} from "../../src/domain/ProxyError.js"
import { firstValue } from "../../src/wire/HeaderFields.js"
import { errorReply } from "../../src/wire/Reply.js"

/** What must stay in the log: it stands in every place of an error that is not written for clients. */
const secret = "10.9.8.7:6543 /srv/secret.db"

const reasons = ["refused", "dns", "tls", "timeout", "unroutable", "failed"] as const

const errors: ReadonlyArray<readonly [error: ProxyError, status: number, code: string]> = [
  [new BadRequest({ detail: "Bad." }), 400, "bad_request"],
  [new MethodNotAllowed({ allow: "GET, HEAD", detail: "" }), 405, "method_not_allowed"],
  [new SessionNotFound({ sessionId: secret }), 404, "session_not_found"],
  [new RequestTimeout({ detail: "Slow." }), 408, "request_timeout"],
  [new BodyTooLarge({ limit: 10 }), 413, "body_too_large"],
  [new HeadersTooLarge({ limit: 10 }), 431, "headers_too_large"],
  [new TargetTooLong({ limit: 10 }), 414, "target_too_long"],
  [new ClientLimit({ limit: 10 }), 429, "client_limit"],
  [new Overloaded({ limit: 10 }), 503, "overloaded"],
  [new UpgradeRequired({ detail: "" }), 426, "upgrade_required"],
  [new SessionLimit({ detail: "Full." }), 429, "session_limit"],
  [new LoopDetected({ sessionId: secret }), 508, "loop_detected"],
  ...reasons.map(
    (reason) =>
      [
        new DownstreamUnreachable({ reason, address: secret, cause: new Error(secret) }),
        502,
        "downstream_unreachable",
      ] as const,
  ),
  [new DownstreamReset({ address: secret, cause: new Error(secret) }), 502, "downstream_reset"],
  [new DownstreamProtocol({ address: secret, problem: secret }), 502, "downstream_protocol"],
  [new DownstreamTimeout({ address: secret, milliseconds: 30_000 }), 504, "downstream_timeout"],
  [new DownstreamUrlInvalid({ sessionId: secret, problem: secret }), 502, "downstream_url_invalid"],
  [new SessionPolicyInvalid({ sessionId: secret, problem: secret }), 502, "session_policy_invalid"],
  [new SessionControlInvalid({ sessionId: secret, problem: secret }), 502, "session_control_invalid"],
  [new SessionUnavailable({ sessionId: secret, status: secret }), 503, "session_unavailable"],
  [new SessionUnavailable({ sessionId: secret, status: secret, drainEndsAt: 0 }), 503, "session_unavailable"],
  [new Draining(), 503, "draining"],
  ...(["files", "ports", "memory"] as const).map(
    (lacking) => [new SystemShortage({ lacking, address: secret, hint: secret }), 503, "overloaded"] as const,
  ),
  [new StoreUnavailable({ problem: secret, hint: secret, cause: new Error(secret) }), 503, "store_unavailable"],
]

describe("errorReply", () => {
  for (const [error, status, code] of errors) {
    const reason = error._tag === "DownstreamUnreachable" ? ` (${error.reason})` : ""
    it(`answers ${error._tag}${reason} with ${status} ${code}, and tells nothing internal`, () => {
      const reply = errorReply(error, "id-1")
      const body: unknown = JSON.parse(reply.body)
      assert.include(body, { status, code, request_id: "id-1", title: reply.reason })
      assert.strictEqual(reply.status, status)
      assert.strictEqual(firstValue(reply.fields, "content-type"), "application/problem+json")
      assert.strictEqual(firstValue(reply.fields, "content-length"), String(Buffer.byteLength(reply.body)))
      assert.strictEqual(firstValue(reply.fields, "x-request-id"), "id-1")
      assert.match(firstValue(reply.fields, "proxy-status") ?? "", /^ss-proxy; error=[a-z_]+$/)
      const said = JSON.stringify(reply)
      for (const word of secret.split(" ")) assert.notInclude(said, word)
    })
  }

  it("says what its status asks for", () => {
    const fieldOf = (error: ProxyError, name: string) => firstValue(errorReply(error, "x").fields, name)
    assert.strictEqual(fieldOf(new MethodNotAllowed({ allow: "GET, HEAD", detail: "" }), "allow"), "GET, HEAD")
    assert.strictEqual(fieldOf(new UpgradeRequired({ detail: "" }), "upgrade"), "websocket")
    assert.strictEqual(fieldOf(new Draining(), "retry-after"), "1")
    const shortage = new SystemShortage({ lacking: "files", address: "", hint: "" })
    assert.strictEqual(fieldOf(shortage, "retry-after"), "1")
  })

  it("is made of errors that have no stack, whose causes keep theirs, as all other errors do", () => {
    const cause = new Error("oh")
    const error = new StoreUnavailable({ problem: "p", hint: "h", cause })
    assert.notInclude(error.stack ?? "", " at ")
    assert.strictEqual(error.cause, cause)
    assert.deepStrictEqual(
      [error._tag, error.message, error instanceof StoreUnavailable],
      ["StoreUnavailable", "p. h", true],
    )
    assert.include(cause.stack ?? "", " at ")
    assert.include(new Error("later").stack ?? "", " at ")
  })
})
