import { Context, Effect, Exit, Layer, type Scope } from "effect"
import { DeadlineRounds } from "../clock/DeadlineRounds.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { type OwnError, RequestBroken, ResponseBroken, type StageRefused } from "../domain/ProxyError.js"
import { addressOf } from "../downstream/Dial.js"
import type { Answer, RequestBody, RequestHead, ResponseHead } from "../downstream/Downstream.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import { resizes, through } from "../wire/Body.js"
import { type RawFields, without } from "../wire/HeaderFields.js"
import type { Stage } from "../wire/Stage.js"
import { changedFields, type FieldChanges } from "./FieldChanges.js"
import { idleLimit } from "./IdleLimit.js"
import { checkOwnAnswer, tryOwn } from "./OwnCode.js"
import { type BrokenBy, OwnStage } from "./OwnStage.js"

/** The stages of one content, and what changes in the fields of its message. */
export interface StagesWithFields<E> extends FieldChanges {
  readonly stages: ReadonlyArray<Stage<E>>
}

/** What one content passes through: stages, or stages together with changes to the fields of its message. */
export type StageChoice<E> = ReadonlyArray<Stage<E>> | StagesWithFields<E>

/**
 * What the contents of a session's requests and responses pass through. Each is asked once for each message, with its head:
 * behind the hooks, and behind what was chosen before it. A stage may fail with an error of the program's own.
 */
export interface SessionStages {
  /** On the way to the session's server. */
  readonly upload?: (session: LiveSession, head: RequestHead) => StageChoice<RequestBroken | OwnError>
  /** On the way to the client, from refused WebSocket handshakes too; no answer of the proxy's own has any. */
  readonly download?: (session: LiveSession, head: ResponseHead) => StageChoice<ResponseBroken | OwnError>
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

type Download = (session: LiveSession, answer: Answer) => Exit.Exit<Answer>

/** What content passes on its way through this proxy. `undefined` where nothing does: that costs nothing. */
export interface Passage {
  readonly upload: ((session: LiveSession, head: RequestHead, body: RequestBody) => Exit.Exit<Upload>) | undefined
  readonly downloadOf: (session: LiveSession) => Download | undefined
}

/** A request behind its stages. */
export interface Upload {
  readonly head: RequestHead
  readonly body: RequestBody
}

type Choose<Head, E> = (session: LiveSession, head: Head) => StageChoice<E>

interface Chosen<Head, E> {
  readonly head: Head
  readonly stages: ReadonlyArray<Stage<E>>
}

/** What holds for the bytes as their sender sent them, and would be wrong of others (RFC 9110 section 8.6, RFC 9530). */
const ofTheseBytes = ["content-length", "content-digest", "content-md5"]

/** Asks all who choose, each for the head as those before it have left it. */
const chooseAll = <Head extends { readonly fields: RawFields }, E>(
  parts: ReadonlyArray<Choose<Head, E>>,
  session: LiveSession,
  head: Head,
  gone: ReadonlyArray<string>,
): Chosen<Head, E> =>
  parts.reduce<Chosen<Head, E>>(
    (before, part) => {
      const choice = part(session, before.head)
      const stages = "stages" in choice ? choice.stages : choice
      const kept = resizes(stages) ? gone.reduce(without, before.head.fields) : before.head.fields
      const fields = "stages" in choice ? changedFields(kept, choice) : kept
      return { head: { ...before.head, fields }, stages: [...before.stages, ...stages] }
    },
    { head, stages: [] },
  )

type Uploads = ReadonlyArray<NonNullable<SessionStages["upload"]>>
type Downloads = ReadonlyArray<NonNullable<SessionStages["download"]>>

/** What a stage said, as the log has it. */
const problemOf = ({ error: { _tag, answer } }: StageRefused): string => `a stage refused it: ${_tag}: ${answer.detail}`

const uploadRefused = (refusal: StageRefused): RequestBroken => {
  checkOwnAnswer(refusal.error)
  return new RequestBroken({ problem: problemOf(refusal), refusal })
}

const downloadRefused =
  ({ id, target }: LiveSession): BrokenBy<ResponseBroken> =>
  (refusal) =>
    new ResponseBroken({ sessionId: id, address: addressOf(target), problem: problemOf(refusal), refusal })

const uploadThrough =
  (parts: Uploads): NonNullable<Passage["upload"]> =>
  (session, head, body) =>
    tryOwn("upload stage", () => {
      // Without content there is nothing whose length could change.
      const chosen = chooseAll(parts, session, head, body._tag === "Empty" ? [] : ["content-length"])
      const stages = chosen.stages.map((stage) => new OwnStage(stage, "upload stage", uploadRefused))
      return { head: chosen.head, body: through(body, stages) }
    })

const downloadThrough =
  (parts: Downloads): Download =>
  (session, answer) => {
    const staged = tryOwn("download stage", () => {
      const { _tag, body, ...head } = answer
      const chosen = chooseAll<ResponseHead, ResponseBroken | OwnError>(parts, session, head, ofTheseBytes)
      const refused = downloadRefused(session)
      const stages = chosen.stages.map((stage) => new OwnStage(stage, "download stage", refused))
      return { _tag, ...chosen.head, body: through(body, stages) }
    })
    // Nobody else has it any more.
    if (Exit.isFailure(staged) && answer.body._tag === "Moving") answer.body.source.cancel()
    return staged
  }

/** Watches the server of every answer, before any stage: it is the server that is idle. */
const idleThrough = (idleTimeout: number, rounds: DeadlineRounds, next: Download | undefined): Download => {
  const watched = (session: LiveSession, answer: Answer): Answer => {
    const limit = session.policy.idleTimeout ?? idleTimeout
    // The policy may have been removed since the request was sent.
    if (limit === 0) return answer
    return { ...answer, body: through(answer.body, [idleLimit(session, rounds.of(limit))]) }
  }
  return next === undefined
    ? (session, answer) => Exit.succeed(watched(session, answer))
    : (session, answer) => next(session, watched(session, answer))
}

/** The passage of a proxy with these settings and stages. */
export const makePassage: Effect.Effect<Passage, never, ProxyConfig | Scope.Scope> = Effect.gen(function* () {
  const { idleTimeout } = yield* ProxyConfig
  const known = yield* BodyStages
  const rounds = new DeadlineRounds()
  yield* Effect.addFinalizer(() => Effect.sync(() => rounds.clear()))
  const uploads = known.flatMap(({ upload }) => (upload === undefined ? [] : [upload]))
  const downloads = known.flatMap(({ download }) => (download === undefined ? [] : [download]))
  const download = downloads.length === 0 ? undefined : downloadThrough(downloads)
  const watchedDownload = idleThrough(idleTimeout, rounds, download)
  return {
    upload: uploads.length === 0 ? undefined : uploadThrough(uploads),
    downloadOf: ({ policy }) => ((policy.idleTimeout ?? idleTimeout) === 0 ? download : watchedDownload),
  }
})
