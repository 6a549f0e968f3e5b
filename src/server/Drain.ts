import { Effect } from "effect"
import { nextTurn } from "../clock/NextTurn.js"
import type { Traffic } from "../traffic/Traffic.js"
import type { Census, OpenConnections } from "./OpenConnections.js"

/**
 * How long a client may still use a connection that is idle when the proxy stops, in milliseconds: it is answered, and told
 * that the connection closes. A connection that was closed at once would fail the request that is on its way just then. On
 * one machine 250 ms are enough (docs/OPERATIONS.md has figures); slow networks, and clients that wait a second or two
 * between requests, need more.
 */
const chanceTime = 2_500

/** Part of the grace period in which WebSockets are sent a close frame; the rest is for them to close. */
const closeShare = 0.8

/** How long the chance is with this grace, in milliseconds. */
export const chanceWithin = (grace: number): number => Math.min(chanceTime, grace)

const counted = (count: number, noun: string): ReadonlyArray<string> =>
  count === 0 ? [] : [`${count} ${noun}${count === 1 ? "" : "s"}`]

const inSeconds = (milliseconds: number): string => `${milliseconds / 1_000} s`

/** What a drain waits for, and how long at most. */
const waitingFor = ({ idle, requests, webSockets }: Census, grace: number): string => {
  const things = [
    ...counted(requests, "request"),
    ...counted(webSockets, "WebSocket"),
    ...counted(idle, "idle connection"),
  ]
  return things.length === 0 ? "draining: nothing is open" : `draining: ${things.join(", ")}, up to ${inSeconds(grace)}`
}

/** What is drained. */
interface Drained {
  /** Milliseconds, both. */
  readonly settings: { readonly grace: number; readonly drainDelay: number }
  readonly traffic: typeof Traffic.Service
  readonly connections: OpenConnections
  /** Closes the listening socket. Connections that become idle from here on have the chance, too. */
  readonly stopAccepting: () => void
  /** Cuts what is left, and names it in the log. */
  readonly cut: Effect.Effect<void>
}

/** Says that the proxy goes away, and serves all the same. */
const announce = ({ settings: { drainDelay }, traffic }: Drained): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* traffic.startDraining
    if (drainDelay === 0) return
    yield* Effect.logInfo(`draining: /health says 503, and all is served for ${inSeconds(drainDelay)} more`)
    yield* Effect.sleep(drainDelay)
  })

/** Takes no new connections, and says on the open ones that they close. */
const turnAway = ({ connections, settings: { grace }, stopAccepting, traffic }: Drained): Effect.Effect<void> =>
  Effect.sync(() => {
    stopAccepting()
    traffic.startClosing()
    const now = performance.now()
    connections.offerChance(now, now + chanceWithin(grace))
  })

/**
 * Stops without failing a request, where others go on serving on the same socket: accepts no more; what comes on open
 * connections is served, and answered with `Connection: close` (RFC 9112 section 9.6); connections that stay idle are closed
 * when their clients have had their chance; WebSockets are told to go meanwhile. It ends when nothing is open, or with the
 * grace; then the rest is cut. `/health` says what it said before.
 */
export const retire = (drained: Drained): Effect.Effect<void> => {
  const { connections, cut, settings, traffic } = drained
  const { grace } = settings
  const allGone = Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.forkScoped(traffic.closeWebSockets(grace * closeShare))
      yield* connections.none
      yield* traffic.idle
    }),
  )
  return Effect.gen(function* () {
    // The kernel resets connections that wait to be accepted. In a turn of the event loop all are accepted that wait.
    yield* nextTurn
    yield* turnAway(drained)
    yield* Effect.logInfo(waitingFor(connections.census(), grace))
    yield* Effect.timeoutOption(allGone, grace)
    yield* cut
  })
}

/** Stops the proxy without failing a request: `/health` turns 503; after the delay it goes on as `retire`. */
export const drain = (drained: Drained): Effect.Effect<void> => Effect.zipRight(announce(drained), retire(drained))
