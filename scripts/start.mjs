// `npm start`: install, build, then run the proxy with its demo downstream. Arguments after `--` go to `ss-proxy run`.
import { setUp } from "./setup.mjs"

setUp()

// A SIGTERM for npm ends npm and the shell that it runs this in, and reaches nobody else: stop when they are gone.
const shell = process.ppid
const watch = setInterval(() => {
  if (process.ppid === shell) return
  clearInterval(watch)
  process.kill(process.pid, "SIGTERM")
}, 500)
watch.unref()

process.argv.splice(2, 0, "run", "--demo")
await import("../dist/bin.js")
