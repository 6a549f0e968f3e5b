import { Context, Effect, Exit, Layer } from "effect"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import type { LiveSession } from "../sessions/LiveSession.js"
import type { Call } from "../step/Call.js"
import { type Full, PlaceCount } from "./PlaceCount.js"
import { isLimited, limitsOf } from "./SlotLimits.js"
import { Traffic } from "./Traffic.js"

/** Gives a place back; to call that more than once does no harm. */
export type Release = () => void

/** What comes of wanting a place: what gives it back, or the limit that leaves none. */
export type Taken = Release | Full

/** Whose connection wants a place. */
export interface ConnectingClient {
  /** What counts as one client. */
  readonly client: string
  /** A proxy in front, behind which there are many clients. */
  readonly isTrusted: boolean
}

/** Places of one kind. */
export interface SlotsOf<Owner> {
  /**
   * Takes a place: at once where it is counted here. Else the call does, which whoever wants it no longer cancels, and the
   * place is given back.
   */
  readonly take: (owner: Owner) => Exit.Exit<Taken> | Call<Taken>
}

/** How many places are taken in the whole program. `undefined`: nobody counts them, for there is no limit. */
export interface TakenSlots {
  readonly requestsOfSession: number | undefined
  readonly webSocketsOfSession: number | undefined
  readonly webSockets: number | undefined
}

/** What `Slots` gives. A kind without a limit is `undefined`, and costs nothing. */
export interface SlotsService {
  /** Connections of clients, in all and for each client. */
  readonly connections: SlotsOf<ConnectingClient> | undefined
  /** WebSockets, in all and for each session, from the beginning of their handshake on: many at once cannot slip past. */
  readonly webSockets: SlotsOf<LiveSession> | undefined
  /** Requests of each session. */
  readonly requests: SlotsOf<LiveSession> | undefined
  /** How many are taken, as somebody asks who looks at this session. */
  readonly taken: (session: LiveSession) => Effect.Effect<TakenSlots>
}

/** Slots that another process counts; `undefined`: this one does. */
export class SlotsElsewhere extends Context.Reference<SlotsElsewhere>()("@ss-proxy/SlotsElsewhere", {
  defaultValue: (): SlotsService | undefined => undefined,
}) {}

const noRelease: Exit.Exit<Taken> = Exit.succeed(() => {})
const fullOwn: Exit.Exit<Taken> = Exit.succeed("own")

/** Takes a place that is given back once. */
const takeFrom = <Owner>(count: PlaceCount<Owner>, owner: Owner, isExempt: boolean): Exit.Exit<Taken> => {
  const full = count.take(owner, isExempt)
  if (full !== undefined) return Exit.succeed(full)
  let isTaken = true
  return Exit.succeed(() => {
    if (isTaken) count.give(owner)
    isTaken = false
  })
}

/** Counted in this process, by plain calls. */
const slotsHere = (settings: ProxySettings, traffic: typeof Traffic.Service): SlotsService => {
  const limits = limitsOf(settings)
  const connections = new PlaceCount<string>(limits.connections)
  // By lifetime: what is left of one that is over is none of the next one's.
  const webSockets = new PlaceCount<LiveSession>(limits.webSockets)
  const { own: mostRequests } = limits.requests
  const webSocketsAreLimited = isLimited(limits.webSockets)
  return {
    connections: isLimited(limits.connections)
      ? { take: ({ client, isTrusted }) => takeFrom(connections, client, isTrusted) }
      : undefined,
    webSockets: webSocketsAreLimited ? { take: (session) => takeFrom(webSockets, session, false) } : undefined,
    // They are counted in any case.
    requests:
      mostRequests < Infinity
        ? { take: (session) => (traffic.requestsOf(session) < mostRequests ? noRelease : fullOwn) }
        : undefined,
    taken: (session) =>
      Effect.sync(() => ({
        requestsOfSession: traffic.requestsOf(session),
        webSocketsOfSession: webSocketsAreLimited ? webSockets.of(session) : undefined,
        webSockets: webSocketsAreLimited ? webSockets.inAll : undefined,
      })),
  }
}

/** Places that only so many connections, WebSockets and requests may have at a time. */
export class Slots extends Context.Tag("@ss-proxy/Slots")<Slots, SlotsService>() {
  /** Counted in this process, or by whom `SlotsElsewhere` names. */
  static readonly layer: Layer.Layer<Slots, never, ProxyConfig | Traffic> = Layer.effect(
    Slots,
    Effect.gen(function* () {
      return (yield* SlotsElsewhere) ?? slotsHere(yield* ProxyConfig, yield* Traffic)
    }),
  )
}
