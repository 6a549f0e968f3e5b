// Prepares `npm start` and `npm test`: dependencies that match the lockfile, and a build that matches the sources. Does
// only what is missing, and prints what it does.
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const say = (text) => process.stderr.write(`ss-proxy: ${text}\n`)
const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

const newestIn = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((newest, entry) => Math.max(newest, modified(join(entry.parentPath ?? entry.path, entry.name))), 0)

const runOrExit = (command, args) => {
  const done = spawnSync(command, args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" })
  if (done.error) say(`could not run ${command}: ${done.error.message}`)
  if (done.status !== 0) process.exit(done.status ?? 1)
}

const requireNode = () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    say(`Node ${process.versions.node} is too old; install Node 20.19 or newer.`)
    process.exit(1)
  }
}

const installDependencies = () => {
  const stamp = join(root, "node_modules", ".ss-proxy-installed")
  if (modified(stamp) > modified(join(root, "package-lock.json"))) return
  say("installing dependencies from the lockfile; npm is silent meanwhile.")
  say("better-sqlite3 is compiled here if no ready-made binary can be had: that takes a minute or two.")
  runOrExit("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"])
  writeFileSync(stamp, "")
  say("dependencies are in place.")
}

const buildIfStale = () => {
  const built = modified(join(root, "dist", "bin.js"))
  const sources = Math.max(newestIn(join(root, "src")), modified(join(root, "package.json")))
  if (built > sources) return
  say("building dist/.")
  runOrExit(process.execPath, [join(root, "scripts", "build.mjs")])
}

/** For scripts that build by themselves. */
export const setUpWithoutBuild = () => {
  requireNode()
  installDependencies()
}

export const setUp = () => {
  setUpWithoutBuild()
  buildIfStale()
}
