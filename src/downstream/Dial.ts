import { isIP, connect as connectTcp, type OnReadOpts, type Socket, type TcpNetConnectOpts } from "node:net"
import { connect as connectTls } from "node:tls"
import { DownstreamUnreachable, type UnreachableReason } from "../domain/ProxyError.js"
import type { DownstreamUrl } from "../wire/DownstreamUrl.js"

/** After so long without traffic, TCP asks whether the peer is still there. Milliseconds. */
const keepAliveProbeDelay = 30_000

/** How long one address of a name may take before the next is tried (RFC 8305). Milliseconds. */
const nextAddressAfter = 500

/** Who waits for a connection. Exactly one of the two is called, once; neither after a cancel. */
export interface DialListener {
  readonly connected: (socket: Socket) => void
  readonly failed: (error: DownstreamUnreachable) => void
}

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

const reasonOf = (cause: Error, tlsStarted: boolean): UnreachableReason => {
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : ""
  return reasons[code] ?? (tlsStarted ? "tls" : "failed")
}

/** The session's server as it is named in the log. */
export const addressOf = (target: DownstreamUrl): string =>
  target.hostname.includes(":") ? `[${target.hostname}]:${target.port}` : `${target.hostname}:${target.port}`

const open = (target: DownstreamUrl, onread: OnReadOpts | undefined): Socket => {
  const options: TcpNetConnectOpts = {
    host: target.hostname,
    port: target.port,
    // Whoever reads decides what an end means; node would answer it with one of ours.
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeDelay,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: nextAddressAfter,
  }
  if (target.secure) {
    const servername = isIP(target.hostname) === 0 ? { servername: target.hostname } : {}
    return connectTls({ ...options, ...servername, ALPNProtocols: ["http/1.1"] })
  }
  return connectTcp(onread === undefined ? options : { ...options, onread })
}

/**
 * The one way to a socket, for HTTP and for WebSockets: name resolution with happy eyeballs, TLS, a timeout in
 * milliseconds (0: none), TCP keep-alive, no delay. `onread` is used where the connection is plain TCP. Returns a
 * function that gives the dial up.
 */
export const dial = (
  target: DownstreamUrl,
  timeout: number,
  listener: DialListener,
  onread?: OnReadOpts,
): (() => void) => {
  const socket = open(target, onread)
  let tcpConnected = false
  const timer = timeout === 0 ? undefined : setTimeout(() => fail("timeout"), timeout)

  const settle = (): void => {
    clearTimeout(timer)
    socket.removeListener("error", onError)
    socket.removeListener("close", onClose)
    socket.removeListener("connect", onConnect)
    socket.removeListener(target.secure ? "secureConnect" : "connect", onReady)
  }
  const fail = (reason: UnreachableReason, cause?: unknown): void => {
    settle()
    giveUp(socket)
    listener.failed(new DownstreamUnreachable({ reason, address: addressOf(target), cause }))
  }
  const onConnect = (): void => {
    tcpConnected = true
  }
  const onError = (cause: Error): void => fail(reasonOf(cause, target.secure && tcpConnected), cause)
  const onClose = (): void => fail(target.secure && tcpConnected ? "tls" : "failed")
  const onReady = (): void => {
    settle()
    listener.connected(socket)
  }

  socket.on("error", onError)
  socket.on("close", onClose)
  socket.on("connect", onConnect)
  socket.on(target.secure ? "secureConnect" : "connect", onReady)
  return () => {
    settle()
    giveUp(socket)
  }
}

/** Destroys a socket for good; an error that it still reports concerns nobody. */
export const giveUp = (socket: Socket): void => {
  socket.on("error", () => {})
  socket.destroy()
}
