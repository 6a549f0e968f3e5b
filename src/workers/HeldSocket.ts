import net, { createServer } from "node:net"
import { getSystemErrorName } from "node:util"
import { Effect, type Scope } from "effect"
import { listen, ListenError, type Place } from "../server/Listening.js"

/*
 * The only place that calls `net._createServerHandle`, the door through which Node's own cluster makes sockets: it binds one
 * and does not listen. Whoever inherits the descriptor of it listens and accepts, and the socket stays when he dies, with
 * the connections that wait on it. Where Node lacks the function there is one process only.
 */
const makerOf = (): object | undefined => {
  const maker: unknown = Reflect.get(net, "_createServerHandle")
  return typeof maker === "function" ? maker : undefined
}

/** Why sockets cannot be held here, as a phrase; `undefined` where they can. */
export const cannotHold = (): string | undefined => {
  if (process.platform === "win32") return "Windows has no sockets that processes inherit by number"
  return makerOf() === undefined ? `Node ${process.versions.node} has no way to hold a socket` : undefined
}

/** UV_TCP_REUSEPORT of libuv 1.49. */
const reusePort = 2

/**
 * Whether the kernel spreads connections over several sockets of one port (socket(7), SO_REUSEPORT). Elsewhere than on Linux
 * the flag is an error or spreads nothing, and before 22.12 Node does not know it.
 */
export const canSpread = (
  platform: NodeJS.Platform = process.platform,
  version: string = process.versions.node,
): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return platform === "linux" && (major > 22 || (major === 22 && minor >= 12))
}

/** Calls a method of a handle. */
const call = (handle: object, method: string, ...args: ReadonlyArray<unknown>): unknown => {
  const found: unknown = Reflect.get(handle, method)
  return typeof found === "function" ? Reflect.apply(found, handle, args) : undefined
}

const numberIn = (holder: object, field: string): number => {
  const found: unknown = Reflect.get(holder, field)
  return typeof found === "number" ? found : -1
}

/** A socket that is bound. `port`: the real one. */
interface HeldSocket {
  readonly descriptor: number
  readonly port: number
  readonly close: () => void
}

interface Bound {
  readonly address: string
  readonly port: number
  readonly family: string
}

/** Binds a socket, which is closed with the scope. The kernel tells of a port that is in use only when somebody listens. */
const hold = ({ address, family, port }: Bound, flags: number): Effect.Effect<HeldSocket, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const where = `${address}:${port}`
    const maker = makerOf()
    const made: unknown =
      typeof maker === "function"
        ? Reflect.apply(maker, net, [address, port, family === "IPv6" ? 6 : 4, undefined, flags])
        : undefined
    if (typeof made !== "object" || made === null)
      return yield* new ListenError({
        where,
        reason: typeof made === "number" ? getSystemErrorName(made) : "no socket can be held",
        hint: "check --host and --port",
      })
    const close = () => void call(made, "close")
    yield* Effect.addFinalizer(() => Effect.sync(close))
    const name = {}
    call(made, "getsockname", name)
    return { descriptor: numberIn(made, "fd"), port: numberIn(name, "port"), close }
  })

/** Sockets of one address, for processes to inherit. */
export interface HeldSockets {
  /** The descriptor for the worker of this number, 1 to the number of workers. */
  readonly descriptorFor: (worker: number) => number
  /**
   * Holds them no more, for no worker is to start any more. They go with the last worker that accepts: new connections are
   * refused from then on, and do not wait for somebody who never comes.
   */
  readonly letGo: () => void
}

/** One socket for all, which somebody else has bound: the descriptor is the same for every worker. */
export const sharedSocket = (descriptor: number): HeldSockets => ({
  descriptorFor: () => descriptor,
  letGo: () => undefined,
})

/**
 * Whether anybody listens there already is asked without SO_REUSEPORT: with it, two programs of one user would share the
 * port and never know. Gives the address that the host's name stands for.
 */
const tryOut = (place: Place): Effect.Effect<net.AddressInfo, ListenError> =>
  Effect.acquireUseRelease(
    Effect.sync(createServer),
    (server) => listen(server, place, 1),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void))),
  )

/**
 * Binds the sockets on which `count` workers are to listen, until the scope closes: one for each where the kernel spreads
 * connections over them, else one for all. `::` takes IPv4 as well; port 0 is one that the kernel chooses.
 */
export const holdSockets = (
  place: Place,
  count: number,
  spread: boolean = canSpread(),
): Effect.Effect<HeldSockets, ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const { address, family } = yield* tryOut(place)
    const flags = spread ? reusePort : 0
    const first = yield* hold({ address, family, port: place.port }, flags)
    if (!spread) return { ...sharedSocket(first.descriptor), letGo: first.close }
    const others = yield* Effect.replicateEffect(hold({ address, family, port: first.port }, flags), count - 1)
    const all = [first, ...others]
    return {
      descriptorFor: (worker) => (all[worker - 1] ?? first).descriptor,
      letGo: () => {
        for (const { close } of all) close()
      },
    }
  })
