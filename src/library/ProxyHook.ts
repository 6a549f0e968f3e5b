import { Effect, Exit } from "effect"
import {
  forwardUnchanged,
  forwardWith,
  type HookRequest,
  type HookVerdict,
  type RequestHook,
} from "../http/RequestHooks.js"
import type { Client } from "../http/ProxyRequest.js"
import { firstValue } from "../wire/HeaderFields.js"
import { reply } from "../wire/Reply.js"
import { isPromiseLike } from "./OwnPromise.js"

/** Fields by name: one value, or several. */
export type FieldValues = Readonly<Record<string, string | ReadonlyArray<string>>>

/** A request that is about to be forwarded, or a WebSocket handshake. */
export interface IncomingRequest {
  readonly sessionId: string
  readonly method: string
  /** The request target as the client sent it, raw. */
  readonly target: string
  readonly client: Client
  readonly requestId: string
  /** The client's fields: raw pairs, flat: name, value, name, value. */
  readonly fields: ReadonlyArray<string>
  /** The first value of a field, by its name in any case; `undefined` where there is none. */
  readonly header: (name: string) => string | undefined
  /** Aborted when the answer is not needed any more: the client has left, or the session has ended. */
  readonly signal: AbortSignal
}

/** The request goes on, with these changes to its fields. */
export interface ForwardChanges {
  /** Names of fields that go. */
  readonly drop?: ReadonlyArray<string>
  /** Fields that come in place of any of the same name. */
  readonly set?: FieldValues
  /** Fields that come beside any of the same name. */
  readonly add?: FieldValues
}

/** The request does not go on: this is the answer. */
export interface OwnAnswer {
  /** 200 to 599. */
  readonly status: number
  readonly headers?: FieldValues
  readonly body?: string
}

/** What becomes of a request; `undefined`: it goes on as it is. */
export type Verdict = ForwardChanges | OwnAnswer | undefined

/** Decides on every request, and on every WebSocket handshake. If it throws or rejects, that request is answered with 500. */
export type OnRequest = (request: IncomingRequest) => Verdict | PromiseLike<Verdict>

const pairsOf = (values: FieldValues = {}): ReadonlyArray<string> =>
  Object.entries(values).flatMap(([name, value]) =>
    typeof value === "string" ? [name, value] : value.flatMap((one) => [name, one]),
  )

/** A request as a hook without Effect sees it. Properties of its own, so that it may be taken apart. */
class RequestView implements IncomingRequest {
  readonly sessionId: string
  readonly method: string
  readonly target: string
  readonly client: Client
  readonly requestId: string
  readonly fields: ReadonlyArray<string>
  readonly header = (name: string): string | undefined => firstValue(this.fields, name.toLowerCase())
  private controller: AbortController | undefined

  constructor(request: HookRequest) {
    this.sessionId = request.session.id
    this.method = request.method
    this.target = request.target
    this.client = request.client
    this.requestId = request.requestId
    this.fields = request.fields
  }

  /** The controller is made only for a hook that asks for the signal. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    return this.controller.signal
  }

  /** Nobody waits for the verdict any more. */
  cancel(): void {
    this.controller?.abort()
  }
}

const changeNames: ReadonlyArray<string> = ["drop", "set", "add"]

/** Throws where a verdict says something else than what changes: it may be an answer by mistake, and must not let the request go on. */
const checkChanges = (changes: ForwardChanges): void => {
  const other = Object.keys(changes).find((name) => !changeNames.includes(name))
  if (other !== undefined)
    throw new Error(`a verdict has no "${other}"; it has status, headers and body, or drop, set and add`)
}

const verdictOf = (verdict: Verdict): Exit.Exit<HookVerdict> => {
  if (verdict === undefined) return forwardUnchanged
  if ("status" in verdict) return Exit.succeed(reply(verdict.status, pairsOf(verdict.headers), verdict.body ?? ""))
  checkChanges(verdict)
  return forwardWith({ drop: verdict.drop ?? [], set: pairsOf(verdict.set), add: pairsOf(verdict.add) })
}

/** The hook for the proxy. A verdict that is there at once takes no fiber. */
export const hookOf =
  (decide: OnRequest): RequestHook =>
  (request) => {
    const view = new RequestView(request)
    const made = decide(view)
    if (!isPromiseLike(made)) return verdictOf(made)
    return Effect.promise(() => Promise.resolve(made)).pipe(
      Effect.flatMap(verdictOf),
      Effect.onInterrupt(() => Effect.sync(() => view.cancel())),
    )
  }
