// `npm start`: install, build, then run the proxy with its demo downstream. Arguments after `--` go to `ss-proxy run`.
import { whenParentIsGone } from "./parent.mjs"
import { setUp } from "./setup.mjs"

setUp()
whenParentIsGone(() => process.kill(process.pid, "SIGTERM"))

process.argv.splice(2, 0, "run", "--demo")
await import("../dist/bin.js")
