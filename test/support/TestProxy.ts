import { Context, Effect, Exit, Layer, Logger, type Scope } from "effect"
import { type AdminError, AdminServer, layerAdmin } from "../../src/admin/AdminServer.js"
import { ProxyConfig, type ProxySettings, type SettingsError } from "../../src/domain/ProxyConfig.js"
import type { StoreUnavailable } from "../../src/domain/ProxyError.js"
import { layerConnections } from "../../src/downstream/ConnectionDownstream.js"
import type { Downstream } from "../../src/downstream/Downstream.js"
import { layerUndici } from "../undici/UndiciDownstream.js"
import { layerProxyWith } from "../../src/server/Proxy.js"
import { ProxyServer } from "../../src/server/ProxyServer.js"
import { layerMemory } from "../../src/sessions/MemorySessionRepo.js"
import { SessionRepo } from "../../src/sessions/SessionRepo.js"
import type { ActivityStore } from "../../src/sessions/ActivityStore.js"
import { ErrorRing } from "../../src/telemetry/ErrorRing.js"
import { Telemetry } from "../../src/telemetry/Telemetry.js"
import { Activity } from "../../src/traffic/Activity.js"
import { Traffic } from "../../src/traffic/Traffic.js"
import { NotSeen, patience } from "./Changes.js"
import { textOf } from "./Numbers.js"
import { RawClient } from "./RawClient.js"

/** A session of a test: its URL, `active` unless said otherwise. */
export type TestSession = string | { readonly url: string; readonly status: string }

/** What a test's proxy is made of. */
export interface TestProxyOptions {
  /** By id. Not used where `repo` is given. */
  readonly sessions?: Readonly<Record<string, TestSession>>
  readonly settings?: Partial<ProxySettings>
  /** The store, in place of one in memory. */
  readonly repo?: Layer.Layer<SessionRepo, StoreUnavailable>
  /** What talks to the servers of sessions, in place of `testDownstream`. */
  readonly downstream?: Layer.Layer<Downstream, never, ProxyConfig>
  /** Hooks, stages and observers. */
  readonly hooks?: Layer.Layer<never>
  /** Where activity is kept; nowhere by default. */
  readonly activityStore?: Layer.Layer<ActivityStore>
}

/** Which `Downstream` proxies are built on: undici where `TEST_DOWNSTREAM=undici` is in the environment, else our own. */
export const testDownstream: Layer.Layer<Downstream, never, ProxyConfig> =
  process.env["TEST_DOWNSTREAM"] === "undici" ? layerUndici : layerConnections

/** A whole proxy on a free port, in this process. */
export interface TestProxy {
  readonly host: string
  readonly port: number
  /** Its base URL, without a slash at the end. */
  readonly url: string
  readonly repo: Context.Tag.Service<SessionRepo>
  readonly server: Context.Tag.Service<ProxyServer>
  readonly activity: Context.Tag.Service<Activity>
  /** Live exchanges and upgrades. */
  readonly trafficCount: Effect.Effect<number>
  /** Waits until nothing is under way any more. */
  readonly quiet: Effect.Effect<void, NotSeen>
  /** The port of its admin listener, if it has one. */
  readonly adminPort: number | undefined
  /** The path of its admin socket, if it has one. */
  readonly adminSocket: string | undefined
  /** What it has counted, as Prometheus is told. */
  readonly metrics: Effect.Effect<string>
  /** What was logged, a line each: message, then annotations as `key=value`. */
  readonly log: ReadonlyArray<string>
  /** The failures that it remembers. */
  readonly errors: Context.Tag.Service<ErrorRing>
  /** A new connection to it. */
  readonly connect: Effect.Effect<RawClient, never, Scope.Scope>
}

const logInto = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.logfmtLogger.pipe(
      Logger.map((line) => {
        // In memory of its own, as one that was written: it is made of pieces of requests.
        lines.push(Buffer.from(line).toString())
      }),
    ),
  )

const memory = (sessions: Readonly<Record<string, TestSession>>) =>
  layerMemory(
    Object.entries(sessions).map(([id, session]) =>
      typeof session === "string" ? { id, url: session, status: "active" } : { id, ...session },
    ),
  )

/**
 * Starts a proxy. When the scope closes after a success, the proxy must have come to rest by itself (clients are closed
 * before it): live traffic that remains is a defect.
 */
export const startProxy = (
  options: TestProxyOptions,
): Effect.Effect<TestProxy, AdminError | SettingsError | StoreUnavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const repo = options.repo ?? memory(options.sessions ?? {})
    const settings = ProxyConfig.layer({ host: "127.0.0.1", port: 0, ...options.settings })
    const services = yield* Layer.build(
      layerAdmin.pipe(
        Layer.provideMerge(layerProxyWith(options.downstream ?? testDownstream)),
        Layer.provideMerge(Layer.merge(settings, repo)),
        Layer.provide([options.hooks ?? Layer.empty, options.activityStore ?? Layer.empty]),
        Layer.provide(logInto(log)),
      ),
    )
    const server = Context.get(services, ProxyServer)
    const admin = Context.get(services, AdminServer)
    const traffic = Context.get(services, Traffic)
    const { host, port } = server.address
    const quiet = traffic.idle.pipe(
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () => new NotSeen({ message: `the proxy still counts live traffic after ${patience} ms` }),
      }),
    )
    yield* Effect.addFinalizer((exit) => (Exit.isSuccess(exit) ? Effect.orDie(quiet) : Effect.void))
    return {
      host,
      port,
      url: `http://${host}:${port}`,
      repo: Context.get(services, SessionRepo),
      server,
      activity: Context.get(services, Activity),
      trafficCount: traffic.count,
      quiet,
      adminPort: admin.address?.port,
      adminSocket: admin.socket,
      metrics: textOf(Context.get(services, Telemetry)),
      log,
      errors: Context.get(services, ErrorRing),
      connect: RawClient.connect(port, host),
    }
  })
