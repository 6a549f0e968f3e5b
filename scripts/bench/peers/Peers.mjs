// The proxies of a run, and how they are started.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Child, freePort, untilListening } from "../process/Child.mjs"
import { processTree } from "../process/ProcessUsage.mjs"
import { makeSessions } from "./Sessions.mjs"
import { flags } from "./ss-proxy.mjs"

/** The proxies of this folder, in the order of the table. */
export const peerNames = [
  "ss-proxy",
  "floor",
  "reply-from",
  "fastify-http-proxy",
  "http-proxy",
  "http-proxy-3",
  "configurable-http-proxy",
  "httpxy",
  "fast-proxy",
  "nginx",
  "haproxy",
  "caddy",
]

const peerProgram = fileURLToPath(new URL("PeerProgram.mjs", import.meta.url))

/** @typedef {import("./Peer.mjs").Peer & { readonly name: string }} NamedPeer */

/**
 * @param {string} name
 * @returns {Promise<NamedPeer>}
 */
export const loadPeer = async (name) => ({ name, ...(await import(`./${name}.mjs`)).peer })

/**
 * A program with the flags and the table of the Rust ss-proxy, given as `--beside NAME=BINARY`.
 *
 * @param {string} name
 * @param {string} binary
 * @returns {NamedPeer}
 */
export const besidePeer = (name, binary) => ({
  name,
  about: "a program given by --beside",
  webSockets: true,
  sessions: true,
  command: (place) => [binary, ...flags(place)],
  version: [binary, "--version"],
})

/**
 * A proxy that runs and listens.
 *
 * @typedef {object} Running
 * @property {NamedPeer} peer
 * @property {number} port
 * @property {number[]} pids the program and its descendants; none for `direct`
 * @property {string | undefined} database
 * @property {number} since time of its start, by `performance.now()`
 * @property {() => Promise<void>} stop
 */

/** The program of `direct`: none. */
const nothing = { pids: [], database: undefined, since: 0, stop: async () => {} }

/**
 * Starts a proxy in front of an origin. Fails if it does not listen within 20 s.
 *
 * @param {NamedPeer} peer
 * @param {number} originPort
 * @param {string} folder for its files
 * @param {{ sessions?: number, database?: string }} [options] rows beside `bench`; or an existing database
 * @returns {Promise<Running>}
 */
export const startPeer = async (peer, originPort, folder, options = {}) => {
  const origin = `http://127.0.0.1:${originPort}`
  if (peer.serve === undefined && peer.command === undefined) return { ...nothing, peer, port: originPort }
  mkdirSync(folder, { recursive: true })
  const database = peer.sessions === true ? (options.database ?? join(folder, "sessions.db")) : undefined
  if (database !== undefined && options.database === undefined) makeSessions(database, origin, options.sessions ?? 0)
  const isLibrary = peer.serve !== undefined
  const chosen = isLibrary ? 0 : await freePort()
  const command = isLibrary
    ? [process.execPath, peerProgram, peer.name, origin]
    : peer.command?.({ port: chosen, origin, folder, database })
  if (command === undefined) throw new Error("is not installed")
  const since = performance.now()
  const child = new Child(command, "proxy")
  try {
    if (!isLibrary) await untilListening(child, chosen, 20_000)
    const port = isLibrary ? Number(await child.line("listening", 20_000)) : chosen
    return { peer, port, pids: processTree(child.pid), database, since, stop: () => child.stop() }
  } catch (error) {
    await child.stop()
    throw error
  }
}
