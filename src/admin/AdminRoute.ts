import type { Effect } from "effect"
import type { AdminAnswer } from "./AdminAnswer.js"

/** Something that the admin listener shows to whoever asks with GET or HEAD. */
export interface AdminRoute {
  /** What asks for it: the whole path. */
  readonly path: "/metrics" | "/livez" | "/readyz"
  /** Whether it needs a token over TCP. */
  readonly needsToken: boolean
  readonly answer: (query: URLSearchParams) => Effect.Effect<AdminAnswer>
}
