// How soak:restart and soak:workers begin, and end: options, a server, a folder with a database, and clients.
import { fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { here } from "../Lab.mjs"

/** The program of this checkout. */
export const builtProgram = join(dirname(dirname(here)), "dist", "bin.js")

/** The values of options that are all texts, by their defaults. With `--help` prints the text, and ends. */
export function optionsOf(usage, defaults) {
  const texts = Object.entries(defaults).map(([name, fallback]) => [name, { type: "string", default: fallback }])
  const { values } = parseArgs({
    options: { help: { type: "boolean", default: false }, ...Object.fromEntries(texts) },
  })
  if (values.help) {
    process.stdout.write(usage)
    process.exit()
  }
  return values
}

/**
 * Makes a folder with a database that has the session `app`, runs `work`, and removes and ends everything. `node` runs the program
 * `bin`. What `work` gets starts the clients on a port, and ends a child with the rest.
 */
export async function withDatabase({ bin, node, url }, work) {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-soak-"))
  const database = join(folder, "sessions.db")
  const children = []
  const keep = (child) => {
    children.push(child)
    return child
  }
  const startClients = (port, longestStream) =>
    keep(fork(join(here, "restart", "Clients.mjs"), [String(port), String(longestStream)]))
  try {
    spawnSync(node, [bin, "sessions", "add", "app", url, "-d", database])
    return await work({ database, folder, keep, startClients })
  } finally {
    for (const child of children) child.kill("SIGKILL")
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Starts the server of the sessions, runs `soak` with its URL, says what fails, and ends this process. */
export async function soakWith(name, soak) {
  const server = fork(join(here, "restart", "Server.mjs"))
  try {
    const [[port]] = await once(server, "message")
    await soak(`http://127.0.0.1:${port}`)
  } catch (error) {
    process.stderr.write(`${name}: ${error.message}\n`)
    process.exitCode = 1
  } finally {
    server.kill("SIGKILL")
  }
  process.exit()
}
