import { describeError } from "../wire/Reply.js"
import type { BrokenOff, TrafficError } from "./TrafficRecord.js"

/** What the log, the ring of failures and others say of an error. */
export interface Failure {
  /** Stable code: that of the client's answer, or one of `brokenOff`. */
  readonly cause: string
  readonly fault: "client" | "downstream" | "proxy"
  /** What it was more exactly, for people; `undefined` where the cause says it all. */
  readonly reason: string | undefined
}

/** Causes of what is broken off, for which there is no answer any more. */
const brokenOff: { readonly [Tag in BrokenOff["_tag"]]: string } = {
  ResponseBroken: "response_broken",
  ClientStalled: "client_stalled",
  RequestBroken: "request_broken",
  WebSocketBroken: "websocket_broken",
}

const isBrokenOff = (error: TrafficError): error is BrokenOff => Object.hasOwn(brokenOff, error._tag)

/** The stable code of an error. */
export const causeOf = (error: TrafficError): string =>
  isBrokenOff(error) ? brokenOff[error._tag] : describeError(error).code

type ReasonTable = {
  readonly [Tag in TrafficError["_tag"]]?: (error: Extract<TrafficError, { readonly _tag: Tag }>) => string
}

/** What is said of an error beside its cause. An error whose cause says it all is not here. None of these repeats a URL. */
const reasons: ReasonTable = {
  BadRequest: ({ detail }) => detail,
  MethodNotAllowed: ({ detail }) => detail,
  RequestTimeout: ({ detail }) => detail,
  UpgradeRequired: ({ detail }) => detail,
  SessionLimit: ({ detail }) => detail,
  HookRefused: ({ error }) => error._tag,
  StageRefused: ({ error }) => error._tag,
  DownstreamUnreachable: ({ reason }) => reason,
  DownstreamProtocol: ({ problem }) => problem,
  DownstreamUrlInvalid: ({ problem }) => problem,
  SessionPolicyInvalid: ({ problem }) => problem,
  SessionControlInvalid: ({ problem }) => problem,
  SessionUnavailable: ({ status }) => status,
  SystemShortage: ({ lacking }) => lacking,
  StoreUnavailable: ({ problem }) => problem,
  Defect: ({ place }) => `a defect of the ${place}`,
  ResponseBroken: ({ problem }) => problem,
  RequestBroken: ({ problem }) => problem,
  WebSocketBroken: ({ problem }) => problem,
}

const reasonOf = <Tag extends TrafficError["_tag"]>(
  tag: Tag,
  error: Extract<TrafficError, { readonly _tag: Tag }>,
): string | undefined => reasons[tag]?.(error)

/** Cause, fault and reason of an error. */
export const failureOf = (error: TrafficError): Failure => ({
  cause: causeOf(error),
  fault: error.fault,
  reason: reasonOf(error._tag, error),
})
