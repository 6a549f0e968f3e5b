import { Cause, Context, Effect, Exit, Layer } from "effect"
import { HookRefused, type OwnError } from "../domain/ProxyError.js"
import type { RequestHead } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import * as Step from "../step/Step.js"
import type { RawFields } from "../wire/HeaderFields.js"
import type { Reply } from "../wire/Reply.js"
import { changedFields, type FieldChanges } from "./FieldChanges.js"
import { checkOwnAnswer, dieAt, runOwn, tryOwn } from "./OwnCode.js"
import type { Client, ProxyRequest } from "./ProxyRequest.js"

/** What a hook sees of a request. */
export interface HookRequest {
  readonly session: LiveSession
  readonly method: string
  /** The request target as the client sent it, raw, as latin1. */
  readonly target: string
  /** The client's fields: raw pairs, flat: name, value, name, value. */
  readonly fields: RawFields
  readonly client: Client
  readonly requestId: string
}

/** What becomes of a request: it is forwarded, with changes to its fields or without, or answered by the proxy. */
export type HookVerdict = ForwardVerdict | Reply

/** The request is forwarded. */
export interface ForwardVerdict extends FieldChanges {
  readonly _tag: "Forward"
}

/** Forwards a request with these changes to its fields; the server gets them, the client's are as they were. */
export const forwardWith = (changes: FieldChanges): Exit.Exit<HookVerdict> =>
  Exit.succeed({ _tag: "Forward", ...changes })

/** Forwards a request as it is. */
export const forwardUnchanged: Exit.Exit<HookVerdict> = Exit.succeed({ _tag: "Forward" })

/**
 * Decides on a request, plain or a WebSocket handshake, when its session is known and before its server is asked. Where
 * the verdict is an `Exit` (such as `forwardWith` makes), no fiber is needed. An error brings its answer with it.
 */
export type RequestHook = (request: HookRequest) => Effect.Effect<HookVerdict, OwnError>

/** The hooks that every request passes, in this order; the first that answers or fails decides. None by default. */
export class RequestHooks extends Context.Reference<RequestHooks>()("@ss-proxy/RequestHooks", {
  defaultValue: (): ReadonlyArray<RequestHook> => [],
}) {
  /**
   * Adds a hook behind those that are there. Provide such layers one after the other: merged, only one would count.
   *
   * @example
   * ```ts
   * import { Effect, Layer } from "effect"
   * import { forwardUnchanged, layerMemory, layerProxy, ProxyConfig, ProxyServer, reply, RequestHooks } from "ss-proxy"
   *
   * const readOnly = RequestHooks.layer(({ method }) =>
   *   method === "GET" ? forwardUnchanged : Effect.succeed(reply(403, [], "only GET\n")),
   * )
   * const proxy = layerProxy.pipe(
   *   Layer.provide(readOnly),
   *   Layer.provide(layerMemory([{ id: "alice", url: "http://127.0.0.1:9000", status: "active" }])),
   *   Layer.provide(ProxyConfig.layer({ host: "127.0.0.1", port: 0 })),
   * )
   * const program = Effect.gen(function* () {
   *   const { address } = yield* ProxyServer
   *   const url = `http://127.0.0.1:${address.port}/alice/`
   *   console.log((yield* Effect.promise(() => fetch(url, { method: "DELETE" }))).status)
   * })
   * await Effect.runPromise(Effect.provide(program, proxy))
   * // prints: 403
   * ```
   */
  static readonly layer = (hook: RequestHook): Layer.Layer<RequestHooks> =>
    RequestHooks.layerEffect(Effect.succeed(hook))

  /** The same for a hook that is made of services. */
  static readonly layerEffect = <E, R>(make: Effect.Effect<RequestHook, E, R>): Layer.Layer<RequestHooks, E, R> =>
    Layer.effect(
      RequestHooks,
      Effect.zipWith(RequestHooks, make, (hooks, hook) => [...hooks, hook]),
    )
}

const seen = (request: ProxyRequest, session: LiveSession): HookRequest => ({
  session,
  method: request.method,
  target: request.target,
  fields: request.fields,
  client: request.client,
  requestId: request.requestId,
})

/** Why a hook has failed, as the proxy knows it: with an error that has an answer, or by a defect of its own. */
const refusal = (cause: Cause.Cause<OwnError>): Cause.Cause<HookRefused> => {
  const failure = Cause.failureOrCause(cause)
  if (failure._tag === "Right") return dieAt("hook", failure.right)
  const error = failure.left
  const checked = tryOwn("hook", () => checkOwnAnswer(error))
  return Exit.isSuccess(checked) ? Cause.fail(new HookRefused({ error })) : checked.cause
}

/** A request's head behind all hooks; fails with the first error or answer of one. */
export const passHooks = (
  hooks: ReadonlyArray<RequestHook>,
  request: ProxyRequest,
  session: LiveSession,
  head: RequestHead,
): Effect.Effect<RequestHead, HookRefused | Reply> => {
  const view = seen(request, session)
  const behind = (before: RequestHead, hook: RequestHook): Effect.Effect<RequestHead, HookRefused | Reply> =>
    Step.andThen(
      Step.mapCause(
        runOwn("hook", () => hook(view)),
        refusal,
      ),
      (verdict): Exit.Exit<RequestHead, Reply> =>
        verdict._tag === "Reply"
          ? Exit.fail(verdict)
          : tryOwn("hook", () => ({ ...before, fields: changedFields(before.fields, verdict) })),
    )
  const start: Effect.Effect<RequestHead, HookRefused | Reply> = Exit.succeed(head)
  return hooks.reduce((before, hook) => Step.andThen(before, (known) => behind(known, hook)), start)
}
