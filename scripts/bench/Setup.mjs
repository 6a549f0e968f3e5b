// Prepares a run: a build of ss-proxy that matches its sources, and the other proxies.
import { spawnSync } from "node:child_process"
import { existsSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { setUp } from "../setup.mjs"

const here = fileURLToPath(new URL(".", import.meta.url))

/** @param {string} path */
const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

/** Builds and installs what is missing; ends the process if that fails. */
export const prepare = () => {
  setUp()
  const stamp = join(here, "node_modules", ".installed")
  if (modified(stamp) > modified(join(here, "package-lock.json"))) return
  process.stderr.write("bench: installing the proxies to compare with.\n")
  const done = spawnSync("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], { cwd: here, stdio: "inherit" })
  if (done.status !== 0) process.exit(done.status ?? 1)
  writeFileSync(stamp, "")
}
