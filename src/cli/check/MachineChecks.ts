import { Effect, Either } from "effect"
import { accessSync, constants, readdirSync, readFileSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { dirname, resolve } from "node:path"
import { parseTokens } from "../../admin/access/TokenFile.js"
import { isSocket, longestPath, socketBeside } from "../../admin/SocketPlaces.js"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { listen } from "../../server/Listening.js"
import type { Database } from "../Database.js"
import { besideOf } from "../DatabasePlace.js"
import { fileFault } from "../FileFault.js"
import { countInWords } from "../InWords.js"
import { type Finding, findingsOf } from "./Finding.js"
import { processText, type RunningProxy } from "./RunningProxies.js"

/** A port that a proxy is to listen on. */
interface PortToTry {
  readonly check: string
  readonly host: string
  readonly port: number
  readonly flags: { readonly host: string; readonly port: string }
}

/** Listens there for a moment. */
const tryPort = (place: PortToTry) =>
  Effect.acquireUseRelease(
    Effect.sync(() => createServer()),
    (server) => listen(server, place, 1),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void))),
  )

const portFinding = (place: PortToTry, proxies: ReadonlyArray<RunningProxy>): Effect.Effect<Finding> => {
  const { check, flags, host, port } = place
  const { fail, ok } = findingsOf(check)
  if (port === 0) return Effect.succeed(ok("a free port is chosen when the proxy starts"))
  const holder = proxies.find(({ settings }) => settings.get(flags.port.slice(2)) === String(port))
  return Effect.match(tryPort(place), {
    onSuccess: () => ok(`${host}:${port} is free`),
    onFailure: ({ hint, reason }) =>
      holder === undefined
        ? fail(`${host}:${port}: ${reason}`, hint)
        : ok(`${host}:${port} is held by the proxy that runs on this database, process ${holder.pid}`),
  })
}

/** Whether the ports are free, or held by a proxy of ours. */
export const portChecks = (
  { adminHost, adminPort, host, port }: ProxySettings,
  proxies: ReadonlyArray<RunningProxy>,
): Effect.Effect<ReadonlyArray<Finding>> => {
  const main = { check: "port", host, port, flags: { host: "--host", port: "--port" } }
  const admin = { check: "admin port", host: adminHost, flags: { host: "--admin-host", port: "--admin-port" } }
  const places = adminPort === "off" ? [main] : [main, { ...admin, port: adminPort }]
  return Effect.forEach(places, (place) => portFinding(place, proxies))
}

/** Fewer descriptors than these are soon used up: a request has two, its client's and its server's. */
const fewFiles = 4_096
const mostlyUsed = 0.8

interface OpenFiles {
  readonly open: number
  readonly most: number
}

/** What a process of this user has open; `undefined` where that cannot be told. `pid`: "self" or a number. */
const openFilesOf = (pid: string): OpenFiles | undefined =>
  Either.getOrUndefined(
    Either.try(() => {
      const [, soft = "unlimited"] = /^Max open files\s+(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? []
      const most = soft === "unlimited" ? Infinity : Number(soft)
      return { open: readdirSync(`/proc/${pid}/fd`).length, most }
    }),
  )

/** A number of a process may be one of another machine's, or of a container's. */
const isProxy = (pid: number): boolean =>
  Either.getOrElse(
    Either.try(() => /ss-proxy|bin\.js|worker\.js/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))),
    () => false,
  )

const raise = "raise the limit: LimitNOFILE= of its systemd unit, --ulimit nofile= of its container, or ulimit -n"

const filesOfProxy = (proxy: RunningProxy): ReadonlyArray<Finding> => {
  const { ok, warn } = findingsOf("open files")
  const files = isProxy(proxy.pid) ? openFilesOf(String(proxy.pid)) : undefined
  if (files === undefined) return []
  const message = `${processText(proxy)} has ${files.open} of ${files.most} file descriptors open`
  return [files.open > files.most * mostlyUsed ? warn(message, raise) : ok(message)]
}

/** Whether there are enough file descriptors: for proxies that run, else for one that is started from here. */
export const fileChecks = (
  { maxConnections }: ProxySettings,
  proxies: ReadonlyArray<RunningProxy>,
): ReadonlyArray<Finding> => {
  const { ok, warn } = findingsOf("open files")
  const ofProxies = proxies.flatMap(filesOfProxy)
  if (ofProxies.length > 0) return ofProxies
  const most = openFilesOf("self")?.most
  if (most === undefined) return [ok("the limit cannot be told on this system")]
  const message = `a proxy that is started from here may have ${most} file descriptors`
  const isEnough = most >= fewFiles && (maxConnections === 0 || most >= 2 * maxConnections)
  return [isEnough ? ok(message) : warn(`${message}; a request has two`, raise)]
}

/** Whether the file of tokens can be used, and whether others can read it. */
export const tokenChecks = ({
  adminHost,
  adminPort,
  adminToken,
  adminTokenFile: file,
}: ProxySettings): ReadonlyArray<Finding> => {
  const { fail, ok, warn } = findingsOf("admin token")
  const isOpen = adminPort !== "off" && !/^(127\.|::1$|localhost$)/.test(adminHost)
  const clear = isOpen
    ? [
        warn(
          `tokens go to ${adminHost} in the clear`,
          "keep --admin-host on 127.0.0.1, or put a proxy with TLS before it",
        ),
      ]
    : []
  if (file === "") {
    if (adminPort === "off") return []
    const only = "only tokens of ss-proxy dashboard and of POST /v1/tokens let in over the admin port"
    return [...clear, ok(adminToken === "" ? only : "the token is that of SS_PROXY_ADMIN_TOKEN")]
  }
  const read = Either.try({ try: () => readFileSync(file, "utf8"), catch: fileFault })
  return Either.match(Either.flatMap(read, parseTokens), {
    onLeft: (problem) => [...clear, fail(`${file} cannot be used: ${problem}`, "check --admin-token-file")],
    onRight: (tokens) => {
      const mode = statSync(file).mode & 0o777
      const message = `${file} holds ${countInWords(tokens.length, "token")}`
      const others = warn(`${message}, which others may read (mode 0${mode.toString(8)})`, `chmod 600 ${file}`)
      return [...clear, (mode & 0o077) === 0 ? ok(message) : others]
    },
  })
}

const isWritableFolder = (folder: string): boolean =>
  Either.isRight(Either.try(() => accessSync(folder, constants.W_OK | constants.X_OK)))

/** Whether the admin socket can be made where it is to be. */
export const socketCheck = (
  { adminSocket }: ProxySettings,
  database: Database,
  proxies: ReadonlyArray<RunningProxy>,
): Finding => {
  const { fail, ok, warn } = findingsOf("admin socket")
  if (adminSocket === "off")
    return ok("there is none: --admin-socket is off, so explain, errors and others find no proxy")
  const path = adminSocket === "auto" ? socketBeside(besideOf(database)) : adminSocket
  const folder = dirname(resolve(path))
  // Without the one that the settings leave to the program, the proxy runs all the same.
  const bad = adminSocket === "auto" ? warn : fail
  if (Buffer.byteLength(path) > longestPath)
    return bad(`its path would have more than ${longestPath} bytes`, "choose a shorter one with --admin-socket")
  if (!isWritableFolder(folder)) return bad(`${folder} cannot be written`, "choose another place with --admin-socket")
  if (adminSocket !== "auto" && isSocket(path) && proxies.length === 0)
    return warn(`there is a socket at ${path} already`, "nothing, if a proxy was killed: the next one removes it")
  return ok(`it can be made in ${folder}`)
}
