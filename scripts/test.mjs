// `npm test`: install, build, then run every test, and tell how far it is. Arguments after `--` go to vitest.
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { root, setUp } from "./setup.mjs"

setUp()
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const args = process.argv.slice(2)
const isTold = args.some((arg) => arg.startsWith("--reporter"))
const reporter = isTold ? [] : [`--reporter=${join(root, "scripts", "test", "Progress.mjs")}`]
const done = spawnSync(process.execPath, [vitest, "run", ...reporter, ...args], { cwd: root, stdio: "inherit" })
process.exit(done.status ?? 1)
