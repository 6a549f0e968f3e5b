import type { EventEmitter } from "node:events"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import { Client, type Dispatcher } from "undici"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import type { SessionTarget } from "../../src/sessions/LiveSession.js"
import { wasBrokenOff } from "../../src/socket/TlsEnd.js"
import { defaultParserLimits } from "../../src/wire/ResponseParser.js"
import { addressOf, type Dialer } from "../../src/downstream/Dial.js"

/** A connection is given up so long before its server would close it, in milliseconds. */
const keepAliveMargin = 1_000

/**
 * An undici client, which is one connection at a time. It may make a new one by itself: where it finds the old one
 * closed before it has written anything of a request.
 */
export class UndiciLane {
  private readonly client: Client
  private socket: Socket | undefined
  private cancelDial: (() => void) | undefined
  private carried = 0

  /** `disconnected`: told whenever its connection is gone. */
  constructor(
    private readonly target: SessionTarget,
    private readonly dialer: Dialer,
    settings: Pick<ProxySettings, "poolIdleTimeout">,
    disconnected: (lane: UndiciLane) => void,
  ) {
    const longest = Math.max(1, settings.poolIdleTimeout)
    this.client = new Client(`${target.secure ? "https" : "http"}://${addressOf(target)}`, {
      connect: (_options, callback) =>
        this.connect(
          (socket) => callback(null, socket),
          (error) => callback(error, null),
        ),
      pipelining: 1,
      maxHeaderSize: defaultParserLimits.maxHeadBytes,
      // Both are counted by whoever makes the request.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: longest,
      keepAliveMaxTimeout: longest,
      keepAliveTimeoutThreshold: keepAliveMargin,
    })
    // Without a listener, what a callback of undici's throws would end the process. The request it belongs to has failed.
    const emitter: EventEmitter = this.client
    emitter.on("error", () => {})
    this.client.on("disconnect", () => disconnected(this))
  }

  /** Whether its connection is there and may carry another request. */
  get isOpen(): boolean {
    return this.socket !== undefined && !this.socket.destroyed
  }

  /** Sends a request. Never throws: what undici refuses is told to the handler. */
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.client.dispatch(request, handler)
  }

  /** Counts a request on the connection: whether it has carried another one before. */
  carries(): boolean {
    return this.carried++ > 0
  }

  /**
   * Whether the connection was reset or cut off, and has not ended, where these look the same: a reset that arrives together
   * with data is reported as an end, but not even nothing can be written after it. TLS has an end of its own.
   */
  wasReset(): boolean {
    const socket = this.socket
    if (socket === undefined || socket.errored !== null || wasBrokenOff(socket)) return true
    if (socket.writable && !(socket instanceof TLSSocket)) socket.write("")
    return socket.errored !== null
  }

  /** Closes the connection at once; a request that is on it fails. */
  destroy(): void {
    this.cancelDial?.()
    this.cancelDial = undefined
    this.client.destroy(() => {})
  }

  private connect(connected: (socket: Socket) => void, failed: (error: Error) => void): void {
    this.cancelDial = this.dialer.dial(this.target, {
      connected: (socket) => {
        this.cancelDial = undefined
        this.socket = socket
        this.carried = 0
        connected(socket)
      },
      failed: (error) => {
        this.cancelDial = undefined
        failed(error)
      },
    })
  }
}
