// `npm test`: install, build, then run every test. Arguments after `--` go to vitest.
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { root, setUp } from "./setup.mjs"

setUp()
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
const done = spawnSync(process.execPath, [vitest, "run", ...process.argv.slice(2)], { cwd: root, stdio: "inherit" })
process.exit(done.status ?? 1)
