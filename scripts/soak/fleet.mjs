// `npm run soak:fleet`: see `--help`.
import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { Fleet } from "./fleet/Fleet.mjs"
import { isInstalled } from "./fleet/Machines.mjs"
import { here } from "./Lab.mjs"
import { programs } from "./postgres/Cluster.mjs"

const usage = `A fleet on one machine: PostgreSQL, three proxies on 127.0.0.2 to 127.0.0.4, and HAProxy or nginx in front of them with the
configuration of docs/SCALING.md. Clients ask on connections that they keep and on new ones, and have WebSockets. Each server
says who it is in each answer.

Meanwhile sessions are added, removed, killed and given other servers. One proxy is killed (SIGKILL) and started again, then
the database crashes and is started again. Wrong is:

  - an answer of a server that never was the session's, or that it had left for longer than --window when it was
    asked; a message on a WebSocket has until --ending
  - a request that fails, and its session was not changed just then
  - a WebSocket that ends, and neither was its session changed nor its proxy killed; or that goes on after a kill
  - a change that is in force later than 2 s after the database is back

Exits with 1 if anything is wrong, and with 2 where the balancer or PostgreSQL is not installed. Linux only.

usage: npm run soak:fleet -- [--front haproxy] [--seconds 60] [--clients 2000] [--sessions 300] [--rate 400] [--window 50]
  [--ending 1000] [--bin FILE] [--json]

  --front NAME   haproxy or nginx
  --seconds N    how long sessions change
  --clients N    half of them with a connection each, a tenth with new ones, the rest with WebSockets
  --sessions N   at the start
  --rate N       requests and messages a second, of all clients
  --window N     within so many milliseconds a change has to be in force for requests
  --ending N     within so many milliseconds WebSockets have to end after a change or a kill
  --bin FILE     the program; default: dist/bin.js
  --json         prints one JSON value on standard output, and nothing else
  --help         this text
`

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    front: { type: "string", default: "haproxy" },
    seconds: { type: "string", default: "60" },
    clients: { type: "string", default: "2000" },
    sessions: { type: "string", default: "300" },
    rate: { type: "string", default: "400" },
    window: { type: "string", default: "50" },
    ending: { type: "string", default: "1000" },
    bin: { type: "string", default: join(dirname(dirname(here)), "dist", "bin.js") },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit()
}
if (!["haproxy", "nginx"].includes(values.front)) {
  process.stderr.write(`soak:fleet: --front is ${values.front}; it must be haproxy or nginx\n`)
  process.exit(2)
}
const missing = [
  isInstalled(values.front) ? undefined : values.front,
  programs === undefined ? "PostgreSQL" : undefined,
].find(Boolean)
if (missing !== undefined) {
  process.stderr.write(`soak:fleet: ${missing} is not installed\n`)
  process.exit(2)
}

function report(result) {
  console.log(`${result.clients} clients, ${result.sessions} sessions at first, ${result.seconds} s of changes`)
  console.log("\nwell, failed")
  for (const [kind, { failed, well }] of Object.entries(result.kinds)) console.log(`  ${kind}: ${well}, ${failed}`)
  for (const [title, rows] of Object.entries({
    "answers by proxy": result.by_proxy,
    changes: result.changes,
    "ms from a commit until all three proxies send what comes then to another server": result.in_force_ms,
    "ms from a commit until a client heard that its WebSocket was closed": Object.fromEntries(
      Object.entries(result.closed_ms).map(([what, figures]) => [what, JSON.stringify(figures)]),
    ),
    "answers of the server before, to what was sent after the commit": result.answers_of_the_server_before,
    "what changes ended": result.explained,
    "the proxy that was killed": result.killed,
    "the database was away": result.outage,
  })) {
    console.log(`\n${title}`)
    for (const [name, value] of Object.entries(rows)) console.log(`  ${name}: ${value}`)
  }
  console.log(result.wrong.length === 0 ? "\nnothing is wrong" : `\nwrong: ${result.wrong.length}`)
  for (const line of result.wrong.slice(0, 50)) console.log(`  ${line}`)
}

const fleet = new Fleet({
  bin: values.bin,
  front: values.front,
  seconds: Number(values.seconds),
  clients: Number(values.clients),
  sessionCount: Number(values.sessions),
  rate: Number(values.rate),
  window: Number(values.window),
  ending: Number(values.ending),
  note: (text) => process.stderr.write(`${new Date().toISOString()} ${text}\n`),
})
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => fleet.end().finally(() => process.exit(1)))
try {
  await fleet.run()
  const { result } = fleet
  if (values.json) console.log(JSON.stringify(result))
  else report(result)
  process.exitCode = result.wrong.length === 0 ? 0 : 1
} catch (error) {
  process.stderr.write(`soak:fleet: ${error.stack}\n`)
  process.exitCode = 1
} finally {
  await fleet.end()
}
process.exit()
