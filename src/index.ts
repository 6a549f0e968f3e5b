/**
 * ss-proxy as a library: the proxy's services and Layers, for one's own program and for tests. See docs/LIBRARY.md.
 */
export { type AdminError, type AdminParts, AdminServer, layerAdmin } from "./admin/AdminServer.js"
export { SettingOrigins } from "./admin/access/Access.js"
export { TokenFileError } from "./admin/access/TokenFile.js"
export { AdminSocketBeside, AdminSocketError } from "./admin/AdminSocket.js"
export * from "./domain/ProxyConfig.js"
export * from "./domain/ProxyError.js"
export * from "./domain/Session.js"
export {
  drainOf,
  isUnusable,
  type KillClose,
  noControl,
  type SessionControl,
  type SessionDrain,
  type StoredControl,
  type UnusableControl,
} from "./domain/SessionControl.js"
export * from "./domain/SessionPolicy.js"
export { layerConnections } from "./downstream/ConnectionDownstream.js"
export * from "./downstream/Downstream.js"
export { DownstreamCertificates, type DownstreamTlsSettings } from "./downstream/DownstreamTls.js"
export { Admission, type SessionRoute } from "./http/Admission.js"
export { BodyStages, type SessionStages, type StageChoice, type StagesWithFields } from "./http/BodyStages.js"
export type { FieldChanges } from "./http/FieldChanges.js"
export { type ForwardError, Forwarder } from "./http/Forwarder.js"
export type { AnswerChange, Client, ProxyRequest } from "./http/ProxyRequest.js"
export {
  forwardUnchanged,
  forwardWith,
  type ForwardVerdict,
  type HookRequest,
  type HookVerdict,
  type RequestHook,
  RequestHooks,
} from "./http/RequestHooks.js"
export { type SwitchedUpgrade, Upgrader } from "./http/Upgrader.js"
export { ListenError } from "./server/Listening.js"
export { ProxyServer } from "./server/ProxyServer.js"
export { layerProxy, layerProxyWith } from "./server/Proxy.js"
export { createProxy, type ProxyOptions, type SessionOptions } from "./library/CreateProxy.js"
export type { CloseOptions, EmbeddedProxy, ProxySessions, StoredSession } from "./library/EmbeddedProxy.js"
export type { LookUp } from "./library/LookUpStore.js"
export type {
  FinishedTraffic,
  ProxyEvent,
  ProxyEventMap,
  ProxyListener,
  TrafficProblem,
} from "./library/ProxyEvents.js"
export type {
  FieldValues,
  ForwardChanges,
  IncomingRequest,
  OnRequest,
  OwnAnswer,
  Verdict,
} from "./library/ProxyHook.js"
export type { LogLine } from "./library/ProxyLog.js"
export type { SessionInput } from "./library/SessionInput.js"
export { LogControl, type LogSteering, type LogThreshold } from "./log/LogControl.js"
export { ActivityStore } from "./sessions/ActivityStore.js"
export { layerMemory as layerMemoryActivity } from "./sessions/MemoryActivityStore.js"
export type { ActivityKind, ActivityTimes, StoredActivity } from "./sessions/SessionActivity.js"
export { layerSqlite as layerSqliteActivity } from "./sessions/sqlite/SqliteActivityStore.js"
export {
  type AnswerRules,
  LiveSession,
  type SessionEnd,
  type SessionListener,
  type SessionTarget,
} from "./sessions/LiveSession.js"
export {
  layerPostgres,
  layerPostgresActivity,
  type PostgresStoreOptions,
  PostgresUrlInvalid,
} from "./sessions/postgres/LazyPostgres.js"
export type { PostgresHost, PostgresPlace, PostgresTls } from "./sessions/postgres/PostgresPlace.js"
export { parsePostgresUrl } from "./sessions/postgres/PostgresUrl.js"
export { layerMemory } from "./sessions/MemorySessionRepo.js"
export { type LookupError, SessionDirectory } from "./sessions/SessionDirectory.js"
export * from "./sessions/SessionRepo.js"
export { layerSqlite } from "./sessions/sqlite/SqliteSessionRepo.js"
export { boundTo } from "./sessions/UsablePolicy.js"
export { inputOf, type SocketInput } from "./socket/SocketInput.js"
export { Call, type CallListener, type Fork } from "./step/Call.js"
export * as Step from "./step/Step.js"
export { ErrorRing, type FailureQuery, FailureRing, type RememberedFailure } from "./telemetry/ErrorRing.js"
export type { ParentSays, RequestRecorder } from "./traces/RequestTrace.js"
export { ChosenTraceId, UntrustedParent } from "./traces/Spans.js"
export { RequestTracer } from "./traces/Tracing.js"
export { Activity, type ActivityReport } from "./traffic/Activity.js"
export type { OpenTraffic } from "./traffic/ActivityRound.js"
export { type LiveTraffic, Traffic, type TrafficView } from "./traffic/Traffic.js"
export { type TrafficObserver, TrafficObservers } from "./traffic/TrafficObservers.js"
export type {
  TrafficEnd,
  TrafficError,
  TrafficRecord,
  TrafficTimes,
  WebSocketRecord,
} from "./telemetry/TrafficRecord.js"
export { Counters, Telemetry } from "./telemetry/Telemetry.js"
export { exposition } from "./telemetry/Exposition.js"
export { isMergeable, merge as mergeSnapshots, type ProcessNumbers, type Snapshot } from "./telemetry/Snapshot.js"
export * as Body from "./wire/Body.js"
export * from "./wire/ChunkSource.js"
export * from "./wire/DownstreamUrl.js"
export { firstValue, type RawFields } from "./wire/HeaderFields.js"
export { reply, type Reply } from "./wire/Reply.js"
export { type ChunkMachine, type FusedConsumer, perChunk, type Stage } from "./wire/Stage.js"
export type { BridgeEnds } from "./websocket/BridgedSocket.js"
export { WsBridge } from "./websocket/WsBridge.js"
