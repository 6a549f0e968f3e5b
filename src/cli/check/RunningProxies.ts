import { Effect, Option } from "effect"
import type { AdminCalls } from "../admin/AdminClient.js"
import { runningProxies } from "../admin/Proxies.js"
import type { Database } from "../Database.js"
import { version } from "../../domain/Version.js"
import { inWords } from "../InWords.js"
import { type Finding, findingsOf } from "./Finding.js"

/** A proxy that runs on the database. */
export interface RunningProxy {
  readonly pid: number
  readonly role: "proxy" | "worker" | "supervisor"
  /** What a worker is called, as in the log; null of another process. */
  readonly worker: string | null
  readonly version: string
  readonly uptimeSeconds: number
  readonly draining: boolean
  /** Its settings by the names of their flags, as texts. */
  readonly settings: ReadonlyMap<string, string>
}

const look = (proxy: AdminCalls) =>
  Effect.gen(function* () {
    const [{ processes }, config, about] = yield* Effect.all([proxy.processes(), proxy.config(), proxy.version()])
    const settings = new Map(config.settings.map(({ name, value }) => [name, value]))
    return processes.map(({ draining, pid, role, uptime_seconds, worker }): RunningProxy => ({
      pid,
      role,
      worker,
      version: about.version,
      uptimeSeconds: uptime_seconds,
      draining,
      settings,
    }))
  })

/** The proxies that run on a database and have an admin socket; one that does not answer is passed over. */
export const proxiesOn = (database: Database): Effect.Effect<ReadonlyArray<RunningProxy>> =>
  Effect.gen(function* () {
    const calls = yield* Effect.orElseSucceed(runningProxies(Option.none(), database), () => [])
    const found = yield* Effect.forEach(calls, (proxy) => Effect.option(look(proxy)), { concurrency: "unbounded" })
    return found.flatMap(Option.getOrElse((): ReadonlyArray<RunningProxy> => []))
  })

/** Which process it is, as the subject of a sentence. */
export const processText = ({ pid, role, worker }: Pick<RunningProxy, "pid" | "role" | "worker">): string => {
  if (role === "proxy") return `process ${pid}`
  return role === "supervisor" ? `the supervisor, process ${pid},` : `worker ${worker ?? ""}, process ${pid},`
}

/** What is to be said of them. */
export const proxyFindings = (proxies: ReadonlyArray<RunningProxy>): ReadonlyArray<Finding> => {
  const { ok, warn } = findingsOf("proxy")
  if (proxies.length === 0) return [ok("no proxy with an admin socket runs on this database")]
  return proxies.map(({ draining, uptimeSeconds, version: running, ...which }) => {
    const message = `${processText(which)} runs on this database for ${inWords(uptimeSeconds * 1_000)}`
    if (draining) return warn(`${message}, and is about to stop`, "start another one")
    if (running !== version) return warn(`${message}, as version ${running}; this is ${version}`, "restart it")
    return ok(message)
  })
}
