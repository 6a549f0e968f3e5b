import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect } from "effect"
import { Access } from "../access/Access.js"
import type { ChangeNote } from "../access/ChangeNotes.js"

/** Runs a change, and notes it for the log: whoever asked may leave, but not between these two. */
export type Noting = <A, E, R>(
  request: HttpServerRequest.HttpServerRequest,
  change: Effect.Effect<A, E, R>,
  noteOf: (done: A) => ChangeNote,
) => Effect.Effect<A, E, R>

export const makeNoting: Effect.Effect<Noting, never, Access> = Effect.map(
  Access,
  ({ changes }): Noting =>
    (request, change, noteOf) =>
      Effect.uninterruptible(
        Effect.tap(change, (done) =>
          Effect.sync(() => changes.note(NodeHttpServerRequest.toIncomingMessage(request), noteOf(done))),
        ),
      ),
)
