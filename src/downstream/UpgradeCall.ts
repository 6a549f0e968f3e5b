import { createHash } from "node:crypto"
import { Exit } from "effect"
import type { LiveSession } from "../sessions/LiveSession.js"
import { firstValue, listMembers } from "../wire/HeaderFields.js"
import { Call, type CallListener, type Fork } from "../step/Call.js"
import { empty } from "../wire/Body.js"
import type { RequestError, RequestHead, RequestObserver, UpgradeAnswer } from "./Downstream.js"
import { type CallContext, SingleCall } from "./HttpCall.js"

const webSocketGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/** The `Sec-WebSocket-Accept` that answers a key (RFC 6455 section 4.2.2). */
const acceptFor = (key: string): string =>
  createHash("sha1")
    .update(key + webSocketGuid, "latin1")
    .digest("base64")

const extensions = "sec-websocket-extensions"
const isOfExtensions = (name: string | undefined): boolean => name?.toLowerCase() === extensions

type HandshakeObserver = Pick<RequestObserver, "asked" | "repaired">

const noBytes = new Uint8Array(0)

/** The request of a handshake, on a connection of its own. */
class HandshakeCall extends SingleCall {
  constructor(
    context: CallContext,
    session: LiveSession,
    request: RequestHead,
    private readonly switchedTo: (answer: UpgradeAnswer) => void,
    private readonly handshakeObserver?: HandshakeObserver,
  ) {
    super(context, session, request, empty)
  }

  override repaired(repair: string): void {
    this.handshakeObserver?.repaired(repair)
  }

  override get mayHold(): boolean {
    return true
  }

  protected override switched(): void {
    const { connection, response } = this
    if (connection === undefined || response === undefined) return
    const problem = this.handshakeProblem(response.fields)
    if (problem !== undefined) return this.fault(problem)
    const early = connection.surplus ?? noBytes
    const socket = connection.release()
    this.isOver = true
    this.context.counters.connectionReleased()
    const head = this.holdTime === 0 ? response : { ...response, fields: this.timed(response.fields) }
    this.switchedTo({ _tag: "Switched", head, socket, early })
  }

  /** What is wrong with the head of a 101 (RFC 6455 section 4.1). */
  private handshakeProblem(fields: ReadonlyArray<string>): string | undefined {
    const upgrade = firstValue(fields, "upgrade")
    if (upgrade?.toLowerCase() !== "websocket") return "its 101 does not upgrade to websocket"
    const connection = firstValue(fields, "connection")
    if (connection === undefined || !listMembers(connection).includes("upgrade"))
      return "its 101 has no Connection: Upgrade"
    const key = firstValue(this.request.fields, "sec-websocket-key") ?? ""
    const accept = firstValue(fields, "sec-websocket-accept")
    if (accept !== acceptFor(key)) return "its Sec-WebSocket-Accept does not answer the client's key"
    const agrees = fields.some((value, at) => at % 2 === 1 && value !== "" && isOfExtensions(fields[at - 1]))
    const isUnasked = agrees && firstValue(this.request.fields, extensions) === undefined
    return isUnasked ? "its 101 agrees to an extension that it was not offered" : undefined
  }
}

/** A WebSocket handshake on a connection of our own (RFC 6455 section 4). */
export class UpgradeCall extends Call<UpgradeAnswer, RequestError> {
  private call: HandshakeCall | undefined

  constructor(
    private readonly context: CallContext,
    private readonly session: LiveSession,
    private readonly head: RequestHead,
    private readonly observer?: HandshakeObserver,
  ) {
    super()
  }

  override start(listener: CallListener<UpgradeAnswer, RequestError>, fork: Fork): void {
    const switchedTo = (answer: UpgradeAnswer) => listener.settled(Exit.succeed(answer))
    this.call = new HandshakeCall(this.context, this.session, this.head, switchedTo, this.observer)
    this.observer?.asked(this.call)
    this.call.start(listener, fork)
  }

  /** Gives the handshake up. A connection that was handed over already is not touched. */
  override cancel(): void {
    this.call?.cancel()
  }
}
