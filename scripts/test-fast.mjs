// `npm run test:fast`: the tests that are pure or in memory. They need no build, no database and no native module, so
// they run without preparation, and on any version of Node. Files share a process, because none of them changes global
// state. Arguments go to vitest; `npm run test:fast -- --watch` runs them again at every change.
import { spawnSync } from "node:child_process"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Folders, and files without `.test.ts`. A new test that needs no program, database or proxy belongs here. */
export const fastTests = [
  "test/clock/",
  "test/domain/",
  "test/http/",
  "test/step/",
  "test/log/",
  "test/telemetry/",
  "test/traffic/",
  "test/transfer/SessionLines",
  "test/wire/",
  "test/cli/CommandLine",
  "test/cli/Report",
  "test/cli/SessionFile",
  "test/cli/Setting",
  "test/cli/StopSignal",
  "test/cli/Table",
  "test/cli/top/Keys",
  "test/cli/top/TopState",
  "test/cli/top/TopView",
  "test/demo/ChatCompletions",
  "test/docs/Chinese",
  "test/docs/Documents",
  "test/docs/Recording",
  "test/downstream/AddressGuard",
  "test/downstream/LeaseQueue",
  "test/downstream/OwnListeners",
  "test/downstream/Shortage",
  "test/server/ConnectionSlots",
  "test/server/RequestReader",
  "test/socket/SocketInput",
  "test/websocket/ControlFrame",
  "test/websocket/FrameCursor",
  "test/websocket/TimerRounds",
  "test/workers/Channel",
  "test/workers/Slots",
]

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = join(root, "node_modules", "vitest", "vitest.mjs")

/** Runs the tests with the node binary at this path. Returns the exit code. */
export const runFastTests = (node, args = []) => {
  const options = args.includes("--watch") ? [] : ["run"]
  const files = fastTests.map((test) => (test.endsWith("/") ? test : `${test}.test.ts`))
  const done = spawnSync(node, [vitest, ...options, "--no-isolate", ...files, ...args], { cwd: root, stdio: "inherit" })
  return done.status ?? 1
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exit(runFastTests(process.execPath, process.argv.slice(2)))
