import { Context, Effect, Layer, type Scope } from "effect"
import { Deadlines } from "../clock/Deadlines.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import type { RequestBroken, ResponseBroken } from "../domain/ProxyError.js"
import type { Answer, RequestBody, RequestHead } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { resizes, through } from "../wire/Body.js"
import { without } from "../wire/HeaderFields.js"
import type { Stage } from "../wire/Stage.js"
import { idleLimit } from "./IdleLimit.js"

/** What the contents of a session's requests and responses pass through. Each is asked once for each content. */
export interface SessionStages {
  /** On the way to the session's server. */
  readonly upload?: (session: LiveSession) => ReadonlyArray<Stage<RequestBroken>>
  /** On the way to the client, from refused WebSocket handshakes too; no answer of the proxy's own has any. */
  readonly download?: (session: LiveSession) => ReadonlyArray<Stage<ResponseBroken>>
}

/** The stages of all sessions, in the order in which content passes them. None by default. */
export class BodyStages extends Context.Reference<BodyStages>()("@ss-proxy/BodyStages", {
  defaultValue: (): ReadonlyArray<SessionStages> => [],
}) {
  /** Adds stages behind those that are there. Provide such layers one after the other: merged, only one would count. */
  static readonly layer = (stages: SessionStages): Layer.Layer<BodyStages> =>
    Layer.effect(
      BodyStages,
      Effect.map(BodyStages, (before) => [...before, stages]),
    )
}

type StagesOf<E> = (session: LiveSession) => ReadonlyArray<Stage<E>>

/** What content passes on its way through this proxy. `undefined` where nothing ever does: that costs nothing. */
export interface Passage {
  readonly upload: ((session: LiveSession, head: RequestHead, body: RequestBody) => Upload) | undefined
  readonly download: ((session: LiveSession, answer: Answer) => Answer) | undefined
}

/** A request behind its stages. */
export interface Upload {
  readonly head: RequestHead
  readonly body: RequestBody
}

const all =
  <E>(parts: ReadonlyArray<StagesOf<E>>): StagesOf<E> =>
  (session) =>
    parts.flatMap((part) => part(session))

const uploadThrough =
  (stagesOf: StagesOf<RequestBroken>): NonNullable<Passage["upload"]> =>
  (session, head, body) => {
    const stages = stagesOf(session)
    const resized = body._tag !== "Empty" && resizes(stages)
    return {
      head: resized ? { ...head, fields: without(head.fields, "content-length") } : head,
      body: through(body, stages),
    }
  }

/** What holds for the bytes as their server sent them, and would be wrong of others (RFC 9110 section 8.6, RFC 9530). */
const ofTheseBytes = ["content-length", "content-digest", "content-md5"]

const downloadThrough =
  (stagesOf: StagesOf<ResponseBroken>): NonNullable<Passage["download"]> =>
  (session, answer) => {
    const stages = stagesOf(session)
    const fields = resizes(stages) ? ofTheseBytes.reduce(without, answer.fields) : answer.fields
    return { ...answer, fields, body: through(answer.body, stages) }
  }

/** The passage of a proxy with these settings and stages. */
export const makePassage: Effect.Effect<Passage, never, ProxyConfig | Scope.Scope> = Effect.gen(function* () {
  const { idleTimeout } = yield* ProxyConfig
  const known = yield* BodyStages
  const deadlines = new Deadlines(idleTimeout)
  yield* Effect.addFinalizer(() => Effect.sync(() => deadlines.clear()))
  const idle: StagesOf<ResponseBroken> = (session) => [idleLimit(session, idleTimeout, deadlines)]
  const uploads = known.flatMap(({ upload }) => (upload === undefined ? [] : [upload]))
  const downloads = known.flatMap(({ download }) => (download === undefined ? [] : [download]))
  // What is idle is the server, so that is watched before any stage.
  const timed = idleTimeout === 0 ? downloads : [idle, ...downloads]
  return {
    upload: uploads.length === 0 ? undefined : uploadThrough(all(uploads)),
    download: timed.length === 0 ? undefined : downloadThrough(all(timed)),
  }
})
