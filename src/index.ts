/**
 * ss-proxy as a library: the proxy's services and Layers, for one's own program and for tests. See docs/LIBRARY.md.
 */
export * from "./domain/ProxyConfig.js"
export * from "./domain/ProxyError.js"
export * from "./domain/Session.js"
export { layerConnections } from "./downstream/ConnectionDownstream.js"
export * from "./downstream/Downstream.js"
export { layerUndici } from "./downstream/UndiciDownstream.js"
export { ListenError, ProxyServer } from "./server/ProxyServer.js"
export { layerProxy, layerProxyWith } from "./server/Proxy.js"
export { LiveSession, type SessionEnd, type SessionListener } from "./sessions/LiveSession.js"
export { layerMemory } from "./sessions/MemorySessionRepo.js"
export { SessionDirectory } from "./sessions/SessionDirectory.js"
export * from "./sessions/SessionRepo.js"
export { layerSqlite } from "./sessions/SqliteSessionRepo.js"
export { type LiveTraffic, Traffic, type TrafficView } from "./traffic/Traffic.js"
export * from "./wire/ChunkSource.js"
export * from "./wire/DownstreamUrl.js"
