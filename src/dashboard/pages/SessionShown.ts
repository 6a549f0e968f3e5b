import { duration, secondsUntil } from "../Format.js"
import type { Session, SessionChange } from "../Shapes.js"

/** How a session is doing, in a word, and the class that colours it. */
export const stateOf = (session: Session): { readonly text: string; readonly tone: string } => {
  const { draining_until: until, forwards, health, status } = session
  if (until !== undefined && until !== null) {
    const left = secondsUntil(until)
    return { text: left > 0 ? `draining ${duration(left)}` : "drained", tone: "warn" }
  }
  if (!forwards) return { text: status, tone: "off" }
  if (health?.state === "failing") return { text: "failing", tone: "bad" }
  return { text: status, tone: "good" }
}

/** A session with what an event says of it. */
export const changedBy =
  (change: SessionChange) =>
  (session: Session): Session => ({
    ...session,
    ...(change.status !== undefined && { status: change.status }),
    ...(change.forwards !== undefined && { forwards: change.forwards }),
    ...(change.draining_until !== undefined && { draining_until: change.draining_until }),
    ...(change.health !== undefined && { health: change.health }),
    ...(change.live !== undefined && { live: change.live }),
    ...(change.idle_seconds !== undefined &&
      session.activity !== undefined && { activity: { ...session.activity, idle_seconds: change.idle_seconds } }),
    ...(change.removed === true && { status: "removed", forwards: false, draining_until: null }),
  })

/** The route of a session's page. */
export const sessionRoute = (id: string): string => `#/sessions/${encodeURIComponent(id)}`
