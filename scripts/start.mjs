// `npm start`: install, build, then run the proxy with its demo downstream. Arguments after `--` go to `ss-proxy run`.
import { setUp } from "./setup.mjs"

setUp()
process.argv.splice(2, 0, "run", "--demo")
await import("../dist/bin.js")
