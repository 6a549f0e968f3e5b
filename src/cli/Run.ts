import * as Command from "@effect/cli/Command"
import { Effect, type Option, Queue } from "effect"
import { defaultSettings, type ProxySettings } from "../domain/ProxyConfig.js"
import type { CommandDoc, FlagGroup } from "./CommandDoc.js"
import { databaseFlags, resolveDatabase } from "./Database.js"
import { addressFlags, resolveAddresses, resolveTls, tlsFlags } from "./DownstreamChoice.js"
import type { UsageError } from "./Failure.js"
import * as Flag from "./Flag.js"
import { endProcessWithin, endTime } from "./LastResort.js"
import { layerLog } from "./Log.js"
import * as Setting from "./Setting.js"
import { logIgnoredSignals } from "./SignalLog.js"
import { stopSignals } from "./StopSignal.js"

/** Every flag of `run`; the program without a command takes them too. */
export const runFlags = {
  host: Flag.option(Flag.host),
  port: Flag.option(Flag.port),
  timeout: Flag.option(Flag.timeout),
  connectTimeout: Flag.option(Flag.connectTimeout),
  idleTimeout: Flag.option(Flag.idleTimeout),
  grace: Flag.option(Flag.grace),
  keepAliveTimeout: Flag.option(Flag.keepAliveTimeout),
  headTimeout: Flag.option(Flag.headTimeout),
  bodyTimeout: Flag.option(Flag.bodyTimeout),
  sendTimeout: Flag.option(Flag.sendTimeout),
  minRate: Flag.option(Flag.minRate),
  maxHeaderSize: Flag.option(Flag.maxHeaderSize),
  maxTargetLength: Flag.option(Flag.maxTargetLength),
  maxBody: Flag.option(Flag.maxBody),
  maxConnections: Flag.option(Flag.maxConnections),
  maxConnectionsPerClient: Flag.option(Flag.maxConnectionsPerClient),
  maxRequestsPerConnection: Flag.option(Flag.maxRequestsPerConnection),
  maxRequestsPerSession: Flag.option(Flag.maxRequestsPerSession),
  wsPath: Flag.option(Flag.wsPath),
  wsPing: Flag.option(Flag.wsPing),
  wsMaxMessage: Flag.option(Flag.wsMaxMessage),
  wsIdleTimeout: Flag.option(Flag.wsIdleTimeout),
  wsMaxLifetime: Flag.option(Flag.wsMaxLifetime),
  maxWebSockets: Flag.option(Flag.maxWebSockets),
  maxWebSocketsPerSession: Flag.option(Flag.maxWebSocketsPerSession),
  trustedProxies: Flag.option(Flag.trustedProxies),
  ...addressFlags,
  ...tlsFlags,
  maxDownstreamConnections: Flag.option(Flag.maxDownstreamConnections),
  maxDownstreamConnectionsPerSession: Flag.option(Flag.maxDownstreamConnectionsPerSession),
  queueTimeout: Flag.option(Flag.queueTimeout),
  accessLog: Flag.option(Flag.accessLog),
  logLevel: Flag.option(Flag.logLevel),
  demo: Flag.option(Flag.demo),
  database: databaseFlags,
}

/** What was given for `runFlags`. */
export type RunChoice = Readonly<Record<Exclude<keyof typeof runFlags, "database">, Option.Option<string>>> & {
  readonly database: Parameters<typeof resolveDatabase>[0]
}

export const runGroups: ReadonlyArray<FlagGroup> = [
  { title: "Listening", flags: [Flag.host, Flag.port, Flag.trustedProxies] },
  { title: "Sessions", flags: [Flag.dbPath, Flag.db, Flag.demo] },
  { title: "Forwarding", flags: [Flag.timeout, Flag.connectTimeout, Flag.idleTimeout] },
  {
    title: "Limits for clients",
    flags: [
      Flag.keepAliveTimeout,
      Flag.headTimeout,
      Flag.bodyTimeout,
      Flag.sendTimeout,
      Flag.minRate,
      Flag.maxHeaderSize,
      Flag.maxTargetLength,
      Flag.maxBody,
      Flag.maxConnections,
      Flag.maxConnectionsPerClient,
      Flag.maxRequestsPerConnection,
      Flag.maxRequestsPerSession,
    ],
  },
  {
    title: "Servers of sessions",
    flags: [
      Flag.denyDownstream,
      Flag.allowDownstream,
      Flag.downstreamCa,
      Flag.downstreamCert,
      Flag.downstreamKey,
      Flag.maxDownstreamConnections,
      Flag.maxDownstreamConnectionsPerSession,
      Flag.queueTimeout,
    ],
  },
  {
    title: "WebSockets",
    flags: [
      Flag.wsPath,
      Flag.wsPing,
      Flag.wsMaxMessage,
      Flag.wsIdleTimeout,
      Flag.wsMaxLifetime,
      Flag.maxWebSockets,
      Flag.maxWebSocketsPerSession,
    ],
  },
  { title: "Running", flags: [Flag.logLevel, Flag.accessLog, Flag.grace] },
]

export const runDoc: CommandDoc = {
  path: ["run"],
  summary: "Run the proxy. This is also what ss-proxy does without a command.",
  about:
    "Runs the proxy until SIGTERM or SIGINT. Then /health answers 503, requests in flight may finish within the grace " +
    "period, and WebSockets are told to go; a second signal cuts at once. A flag wins over its variable.",
  args: [],
  groups: runGroups,
  examples: [
    ["ss-proxy run --demo", "brings a server along to try the proxy with, and says how"],
    ["ss-proxy run --port 9000 --db-path /var/lib/ss-proxy/sessions.db", "another port, another database"],
    ["SS_PROXY_LOG_LEVEL=debug ss-proxy run --timeout 120", "settings by variable and by flag"],
  ],
  runsOn: true,
}

/** What the flags and variables of limits for clients come to. */
const resolveLimits = (given: RunChoice) => {
  const { byteSize, count, positiveByteSize, seconds, setting } = Setting
  return Effect.all({
    keepAliveTimeout: setting(Flag.keepAliveTimeout, given.keepAliveTimeout, seconds, defaultSettings.keepAliveTimeout),
    headTimeout: setting(Flag.headTimeout, given.headTimeout, seconds, defaultSettings.headTimeout),
    bodyTimeout: setting(Flag.bodyTimeout, given.bodyTimeout, seconds, defaultSettings.bodyTimeout),
    sendTimeout: setting(Flag.sendTimeout, given.sendTimeout, seconds, defaultSettings.sendTimeout),
    minRate: setting(Flag.minRate, given.minRate, byteSize, defaultSettings.minRate),
    maxHeaderBytes: setting(Flag.maxHeaderSize, given.maxHeaderSize, positiveByteSize, defaultSettings.maxHeaderBytes),
    maxTargetBytes: setting(Flag.maxTargetLength, given.maxTargetLength, byteSize, defaultSettings.maxTargetBytes),
    maxBodyBytes: setting(Flag.maxBody, given.maxBody, byteSize, defaultSettings.maxBodyBytes),
    maxConnections: setting(Flag.maxConnections, given.maxConnections, count, defaultSettings.maxConnections),
    maxConnectionsPerClient: setting(
      Flag.maxConnectionsPerClient,
      given.maxConnectionsPerClient,
      count,
      defaultSettings.maxConnectionsPerClient,
    ),
    maxRequestsPerConnection: setting(
      Flag.maxRequestsPerConnection,
      given.maxRequestsPerConnection,
      count,
      defaultSettings.maxRequestsPerConnection,
    ),
    maxRequestsPerSession: setting(
      Flag.maxRequestsPerSession,
      given.maxRequestsPerSession,
      count,
      defaultSettings.maxRequestsPerSession,
    ),
  })
}

/** What the flags and variables of connections to the servers of sessions come to. */
const resolveConnections = (given: RunChoice) =>
  Effect.all({
    maxDownstreamConnections: Setting.setting(
      Flag.maxDownstreamConnections,
      given.maxDownstreamConnections,
      Setting.count,
      defaultSettings.maxDownstreamConnections,
    ),
    maxDownstreamConnectionsPerSession: Setting.setting(
      Flag.maxDownstreamConnectionsPerSession,
      given.maxDownstreamConnectionsPerSession,
      Setting.count,
      defaultSettings.maxDownstreamConnectionsPerSession,
    ),
    queueTimeout: Setting.setting(Flag.queueTimeout, given.queueTimeout, Setting.seconds, defaultSettings.queueTimeout),
  })

/** What the flags and variables of WebSockets come to. */
const resolveWebSockets = (given: RunChoice) =>
  Effect.all({
    wsPath: Setting.setting(Flag.wsPath, given.wsPath, Setting.wsPathRule, defaultSettings.wsPath),
    wsPing: Setting.setting(Flag.wsPing, given.wsPing, Setting.seconds, defaultSettings.wsPing),
    wsMaxMessage: Setting.setting(
      Flag.wsMaxMessage,
      given.wsMaxMessage,
      Setting.byteSize,
      defaultSettings.wsMaxMessage,
    ),
    wsIdleTimeout: Setting.setting(
      Flag.wsIdleTimeout,
      given.wsIdleTimeout,
      Setting.seconds,
      defaultSettings.wsIdleTimeout,
    ),
    wsMaxLifetime: Setting.setting(
      Flag.wsMaxLifetime,
      given.wsMaxLifetime,
      Setting.seconds,
      defaultSettings.wsMaxLifetime,
    ),
    maxWebSockets: Setting.setting(
      Flag.maxWebSockets,
      given.maxWebSockets,
      Setting.count,
      defaultSettings.maxWebSockets,
    ),
    maxWebSocketsPerSession: Setting.setting(
      Flag.maxWebSocketsPerSession,
      given.maxWebSocketsPerSession,
      Setting.count,
      defaultSettings.maxWebSocketsPerSession,
    ),
  })

/** The settings that the flags, the variables and the defaults come to, without those of TLS, which are in files. */
export const resolveSettings = (given: RunChoice): Effect.Effect<ProxySettings, UsageError> =>
  Effect.map(
    Effect.all({
      host: Setting.setting(Flag.host, given.host, Setting.hostName, defaultSettings.host),
      port: Setting.setting(Flag.port, given.port, Setting.portNumber, defaultSettings.port),
      timeout: Setting.setting(Flag.timeout, given.timeout, Setting.positiveSeconds, defaultSettings.timeout),
      connectTimeout: Setting.setting(
        Flag.connectTimeout,
        given.connectTimeout,
        Setting.positiveSeconds,
        defaultSettings.connectTimeout,
      ),
      idleTimeout: Setting.setting(Flag.idleTimeout, given.idleTimeout, Setting.seconds, defaultSettings.idleTimeout),
      grace: Setting.setting(Flag.grace, given.grace, Setting.seconds, defaultSettings.grace),
      limits: resolveLimits(given),
      connections: resolveConnections(given),
      webSockets: resolveWebSockets(given),
      addresses: resolveAddresses(given),
      trustedProxies: Setting.setting(
        Flag.trustedProxies,
        given.trustedProxies,
        Setting.addressBlocks,
        defaultSettings.trustedProxies,
      ),
      accessLog: Setting.setting(Flag.accessLog, given.accessLog, Setting.onOrOff, defaultSettings.accessLog),
    }),
    ({ limits, connections, webSockets, addresses, ...settings }) => ({
      ...defaultSettings,
      ...settings,
      ...limits,
      ...connections,
      ...webSockets,
      ...addresses,
    }),
  )

/** Starts the proxy as the flags say, and gives what runs it until it is told to stop. The server is loaded only here. */
const startProxy = (given: RunChoice) =>
  Effect.gen(function* () {
    const settings = yield* resolveSettings(given)
    const tls = yield* resolveTls(given)
    const demo = yield* Setting.setting(Flag.demo, given.demo, Setting.onOrOff, false)
    const database = yield* resolveDatabase(given.database)
    const { serve } = yield* Effect.promise(() => import("./Serve.js"))
    return yield* serve({ settings, tls, database, demo })
  })

/** Runs the proxy until a signal says to stop, which may be before it has started. */
export const runProxy = (given: RunChoice) =>
  Effect.gen(function* () {
    const threshold = yield* Setting.setting(Flag.logLevel, given.logLevel, Setting.logThreshold, "info")
    const untilStopped = Effect.gen(function* () {
      const signals = yield* stopSignals
      yield* logIgnoredSignals
      const started = Effect.map(startProxy(given), (run) => run(signals))
      const stopped = Effect.zipRight(Queue.take(signals), endProcessWithin(endTime, Effect.succeed([])))
      yield* Effect.flatten(Effect.raceFirst(started, Effect.as(stopped, Effect.void)))
    })
    yield* Effect.scoped(untilStopped).pipe(
      Effect.zipRight(Effect.logInfo("stopped")),
      Effect.provide(layerLog(threshold)),
    )
  })

export const run = Command.make("run", runFlags, runProxy).pipe(Command.withDescription(runDoc.summary))
