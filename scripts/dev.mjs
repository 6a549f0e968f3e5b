// `npm run dev`: builds the program, runs it with its demo server, and does both again whenever a source changes.
// Arguments after `--` go to `ss-proxy run`. The build has a folder of its own, so that dist/ is not changed.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { whenParentIsGone } from "./parent.mjs"
import { setUpWithoutBuild } from "./setup.mjs"

setUpWithoutBuild()
const { context } = await import("esbuild")
const { programBundle, root } = await import("./bundles.mjs")
const { watchPage } = await import("./page.mjs")

const folder = join(root, `dist.dev.${process.pid}`)
const say = (text) => process.stderr.write(`dev: ${text}\n`)

/** The running program, if there is one. */
let running

const start = () => {
  const args = [join(folder, "bin.js"), "run", "--demo", ...process.argv.slice(2)]
  // A short grace period, so that a restart does not wait for exchanges in flight.
  const env = { SS_PROXY_GRACE: "1", ...process.env }
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "inherit", "inherit"] })
  running = child
  child.once("exit", (code) => {
    if (running !== child) return
    running = undefined
    say(`the program has ended with ${code}; it starts again when a source changes`)
  })
}

const stop = async () => {
  const child = running
  running = undefined
  if (child === undefined) return
  const ended = once(child, "exit")
  child.kill("SIGTERM")
  await ended
}

/** Starts the program after the former one has ended, because the port is in use until then. */
let turn = Promise.resolve()
const next = (step) => (turn = turn.then(step))

let isStopping = false

const restart = async () => {
  if (isStopping) return
  if (running !== undefined) say("a source has changed")
  await stop()
  start()
}

const runner = {
  name: "run",
  setup: ({ onEnd }) =>
    onEnd(({ errors }) => {
      if (errors.length === 0) next(restart)
      else say("not built; what runs is the last one that was")
    }),
}

const page = await watchPage(folder)

// Maps are for debuggers here. What is built is read as it is, and four fifths of the package would be maps.
const builder = await context({ ...programBundle, sourcemap: true, outdir: folder, plugins: [runner] })

const end = () => {
  if (isStopping) return
  isStopping = true
  next(async () => {
    await stop()
    await Promise.all([builder.dispose(), page.dispose()])
    rmSync(folder, { recursive: true, force: true })
    process.exit(0)
  })
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end)
whenParentIsGone(end)
await builder.watch()
