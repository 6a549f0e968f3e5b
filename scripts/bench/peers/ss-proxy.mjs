import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../../../dist/bin.js", import.meta.url))

/**
 * The flags that ss-proxy shares with the Rust program of the same name.
 *
 * @param {import("./Peer.mjs").Place} place
 */
export const flags = ({ port, database = "" }) => [
  "--host",
  "127.0.0.1",
  "--port",
  String(port),
  "--db-path",
  database,
  "--timeout",
  "30",
  "--log-level",
  "error",
]

/**
 * A build of this project: its `dist/bin.js`, as `ss-proxy run` starts it.
 *
 * @param {string} binary
 * @param {string} about
 * @param {readonly string[]} [variables] of its environment, as `env` takes them
 * @param {readonly string[]} [more] flags
 * @returns {import("./Peer.mjs").Peer}
 */
export const built = (binary, about, variables = [], more = []) => ({
  about,
  webSockets: true,
  sessions: true,
  command: (place) => [
    ...(variables.length === 0 ? [] : ["env", ...variables]),
    process.execPath,
    binary,
    "run",
    ...flags(place),
    ...more,
  ],
  version: [process.execPath, binary, "--version"],
})

export const peer = built(program, "this project, as `ss-proxy run` starts it")
