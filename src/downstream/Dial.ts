import {
  isIP,
  connect as connectTcp,
  type LookupFunction,
  type OnReadOpts,
  Socket,
  type TcpNetConnectOpts,
} from "node:net"
import { connect as connectTls, TLSSocket } from "node:tls"
import { Effect } from "effect"
import { ProxyConfig, type ProxySettings } from "../domain/ProxyConfig.js"
import {
  type DialError,
  DownstreamUnreachable,
  LoopDetected,
  SystemShortage,
  type UnreachableReason,
} from "../domain/ProxyError.js"
import type { SessionTarget } from "../sessions/LiveSession.js"
import { watchEnd } from "../socket/TlsEnd.js"
import type { DownstreamUrl } from "../wire/DownstreamUrl.js"
import { AddressGuard, type Denial } from "./AddressGuard.js"
import { DownstreamCertificates, type DownstreamTlsSettings, TlsContext } from "./DownstreamTls.js"
import { Lookups } from "./Lookups.js"
import { ListenerAddresses, OwnListeners } from "./OwnListeners.js"
import { shortageOf } from "./Shortage.js"
import { type Warn, warnInLog } from "./Warn.js"

/** After so long without traffic, TCP asks whether the peer is still there. Milliseconds. */
const keepAliveProbeDelay = 30_000

/** How long one address of a name may take before the next is tried (RFC 8305). Milliseconds. */
const nextAddressAfter = 500

/** Callbacks of a dial. Exactly one of the two is called, once; neither after a cancel. */
export interface DialListener {
  readonly connected: (socket: Socket) => void
  readonly failed: (error: DialError) => void
}

/** Whether an error is one of those that end a dial. */
export const isDialError = (error: unknown): error is DialError =>
  error instanceof DownstreamUnreachable || error instanceof LoopDetected || error instanceof SystemShortage

const reasons: Readonly<Record<string, UnreachableReason>> = {
  ECONNREFUSED: "refused",
  ENOTFOUND: "dns",
  EAI_AGAIN: "dns",
  EAI_FAIL: "dns",
  EAI_NODATA: "dns",
  EAI_NONAME: "dns",
  ETIMEDOUT: "timeout",
  EHOSTUNREACH: "unroutable",
  ENETUNREACH: "unroutable",
  EADDRNOTAVAIL: "unroutable",
}

/** No address of a session's server may be connected to. */
class AddressDenied extends Error {
  constructor({ problem }: Denial) {
    super(problem)
  }
}

/** The address of a session's server is one that this proxy listens on. */
class OwnAddress extends Error {}

/** What went wrong, address by address, where a name has several. */
const attemptsOf = (cause: Error): ReadonlyArray<unknown> =>
  cause instanceof AggregateError && cause.errors.length > 0 ? cause.errors : [cause]

const knownReason = (error: unknown): UnreachableReason | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? reasons[error.code] : undefined

const reasonOf = (cause: Error, socket: Socket, tlsStarted: boolean): UnreachableReason => {
  if (cause instanceof AddressDenied) return "denied"
  // Node's types leave out that this is null until a certificate was refused.
  if (socket instanceof TLSSocket && (socket.authorizationError ?? null) !== null) return "certificate"
  const known = attemptsOf(cause).map(knownReason)
  // A machine without IPv6 has no route to half of most names' addresses; what became of the other half says more.
  const telling = known.find((reason) => reason !== undefined && reason !== "unroutable")
  return telling ?? known[0] ?? (tlsStarted ? "tls" : "failed")
}

/** The session's server as it is named in the log. */
export const addressOf = (target: DownstreamUrl): string =>
  target.hostname.includes(":") ? `[${target.hostname}]:${target.port}` : `${target.hostname}:${target.port}`

const unreachable = (target: DownstreamUrl, reason: UnreachableReason, cause?: unknown): DownstreamUnreachable =>
  new DownstreamUnreachable({ reason, address: addressOf(target), cause })

/** What the error of a socket means that was to be connected. */
const dialError = (target: SessionTarget, cause: Error, socket: Socket, tlsStarted: boolean): DialError => {
  if (cause instanceof OwnAddress) return new LoopDetected({ sessionId: target.sessionId, address: addressOf(target) })
  const address = addressOf(target)
  const shortage = attemptsOf(cause)
    .map(shortageOf)
    .find((found) => found !== undefined)
  if (shortage !== undefined) return new SystemShortage({ ...shortage, address, cause })
  return unreachable(target, reasonOf(cause, socket, tlsStarted), cause)
}

/**
 * Resolves names as node does, and leaves out the addresses that may not be reached: what was checked is what is
 * connected to, however often the name changes. A name that leads to the proxy itself, among others, leads nowhere.
 */
const guardedLookup =
  (lookups: Lookups, guard: AddressGuard, isOwn: (address: string) => boolean): LookupFunction =>
  (hostname, options, callback) =>
    lookups.find(hostname, options, (error, found) => {
      if (error !== null) return callback(error, [])
      const denials = found.map(({ address }) => guard.denialOf(address))
      const permitted = found.filter((_, index) => denials[index] === undefined)
      const [first] = permitted
      if (permitted.some(({ address }) => isOwn(address))) return callback(new OwnAddress(), [])
      const denial = denials.find((denial) => denial !== undefined)
      if (first === undefined && denial !== undefined) return callback(new AddressDenied(denial), [])
      if (options.all === true || first === undefined) return callback(null, permitted)
      callback(null, first.address, first.family)
    })

/** What dialling depends on. */
export type DialSettings = DownstreamTlsSettings &
  Pick<ProxySettings, "connectTimeout" | "allowDownstream" | "denyDownstream">

/** What a dialer is told of the program around it. */
export interface DialContext {
  readonly warn: Warn
  /** Certificates and key that may change; those of the settings where it is absent. */
  readonly certificates: (() => DownstreamTlsSettings) | undefined
  /** Where the proxy itself listens. */
  readonly ownListeners: ListenerAddresses
}

/** For a dialer that stands alone. */
const noContext: DialContext = { warn: () => {}, certificates: undefined, ownListeners: new ListenerAddresses() }

/**
 * The one way to a socket, for HTTP and for WebSockets: name resolution with happy eyeballs, the guard of addresses,
 * verified TLS, a timeout, TCP keep-alive, no delay.
 */
export class Dialer {
  private readonly guard: AddressGuard
  private readonly lookups = new Lookups()
  private readonly tls: TlsContext
  /** Insecure targets that were warned of. */
  private readonly warnedOf = new WeakSet<SessionTarget>()

  /** Throws where the settings hold a block, a certificate or a key that is none. */
  constructor(
    private readonly settings: DialSettings,
    private readonly context: DialContext = noContext,
  ) {
    this.guard = new AddressGuard(settings)
    this.tls = new TlsContext(context.certificates ?? (() => settings), context.warn)
  }

  /**
   * Dials. `onread` is used where the connection is plain TCP; `timeout` in milliseconds is in place of that of the settings.
   * Returns a function that gives the dial up.
   */
  dial(
    target: SessionTarget,
    listener: DialListener,
    onread?: OnReadOpts,
    timeout = this.settings.connectTimeout,
  ): () => void {
    const socket = this.open(target, onread)
    let tcpConnected = false
    const timer = timeout === 0 ? undefined : setTimeout(() => fail(unreachable(target, "timeout")), timeout)

    const settle = (): void => {
      clearTimeout(timer)
      socket.removeListener("error", onError)
      socket.removeListener("close", onClose)
      socket.removeListener("connect", onConnect)
      socket.removeListener(target.secure ? "secureConnect" : "connect", onReady)
    }
    const fail = (error: DialError): void => {
      settle()
      cutUnheard(socket)
      listener.failed(error)
    }
    const onConnect = (): void => {
      tcpConnected = true
    }
    const onError = (cause: Error): void => fail(dialError(target, cause, socket, target.secure && tcpConnected))
    const onClose = (): void => fail(unreachable(target, target.secure && tcpConnected ? "tls" : "failed"))
    const onReady = (): void => {
      settle()
      if (target.insecure && socket instanceof TLSSocket) this.warnOfInsecure(target, socket)
      listener.connected(socket)
    }

    socket.on("error", onError)
    socket.on("close", onClose)
    socket.on("connect", onConnect)
    socket.on(target.secure ? "secureConnect" : "connect", onReady)
    return () => {
      settle()
      cutUnheard(socket)
    }
  }

  /** Once for each lifetime of a session. */
  private warnOfInsecure(target: SessionTarget, socket: TLSSocket): void {
    if (this.warnedOf.has(target)) return
    this.warnedOf.add(target)
    this.context.warn("the certificate of this session's server is not verified, because the session is insecure", {
      session: target.sessionId,
      address: addressOf(target),
      // Null where verifying would have found nothing wrong, which node's types leave out.
      problem: socket.authorizationError ?? "none",
    })
  }

  /**
   * Why nobody may connect to this target; `undefined` where one may, and for most names: what a name leads to is known when
   * it is looked up.
   */
  refusalOf(target: SessionTarget): DialError | undefined {
    const cause = this.problemOf(target)
    return cause === undefined ? undefined : dialError(target, cause, new Socket(), false)
  }

  private problemOf({ hostname, port }: SessionTarget): Error | undefined {
    const { ownListeners } = this.context
    if (isIP(hostname) === 0) return ownListeners.hasName(hostname, port) ? new OwnAddress() : undefined
    const denial = this.guard.denialOf(hostname)
    if (denial !== undefined) return new AddressDenied(denial)
    return ownListeners.has(hostname, port) ? new OwnAddress() : undefined
  }

  private open(target: SessionTarget, onread: OnReadOpts | undefined): Socket {
    // Node looks no address up, so nothing would ask the guard about it.
    const problem = this.problemOf(target)
    if (problem !== undefined) return new Socket().destroy(problem)
    const isOwn = (address: string): boolean => this.context.ownListeners.has(address, target.port)
    const options: TcpNetConnectOpts = {
      host: target.hostname,
      port: target.port,
      lookup: guardedLookup(this.lookups, this.guard, isOwn),
      // Whoever reads decides what a FIN means; else Node answers it with a FIN.
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeDelay,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: nextAddressAfter,
    }
    if (!target.secure) return connectTcp(onread === undefined ? options : { ...options, onread })
    return this.openTls(target, options)
  }

  /** TLS on a TCP connection of its own, for the end of the one is only told from the end of the other where both are seen. */
  private openTls(target: SessionTarget, options: TcpNetConnectOpts): TLSSocket {
    const transport = new Socket(options)
    watchEnd(transport, () => socket)
    const socket = connectTls({
      socket: transport,
      // Whose certificate it has to be. An address is not named to the server (RFC 6066 section 3).
      host: target.hostname,
      ...(isIP(target.hostname) === 0 && { servername: target.hostname }),
      secureContext: this.tls.current,
      ALPNProtocols: ["http/1.1"],
      // Explicit, or NODE_TLS_REJECT_UNAUTHORIZED would decide for all sessions.
      rejectUnauthorized: !target.insecure,
    })
    transport.connect(options)
    return socket
  }
}

/** A dialer with the settings in force, which warns in the log of whoever builds it. */
export const makeDialer: Effect.Effect<Dialer, never, ProxyConfig> = Effect.gen(function* () {
  const settings = yield* ProxyConfig
  const [warn, certificates] = [yield* warnInLog, yield* DownstreamCertificates]
  return new Dialer(settings, { warn, certificates, ownListeners: yield* OwnListeners })
})

/** Destroys a socket for good; an error that it still reports concerns nobody. */
export const cutUnheard = (socket: Socket): void => {
  socket.on("error", () => {})
  socket.destroy()
}
