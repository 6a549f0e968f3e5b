// `npm run soak`: see `--help`.
import { parseArgs } from "node:util"
import { mebibytes, Soak } from "./mixed/Soak.mjs"

const usage = `Mixed real traffic through the built program, while servers are killed and stopped, sessions come, go and move, the
database is locked, replaced and removed, logs are rotated, and clients leave at any moment. Every byte is compared, and
every error that a client sees has to be explained by a fault that was under way on its session.

Every ten minutes and at the end all comes to rest, and sockets, files, fibers and memory have to be at the level that they
had. Exits with 1 if anything is wrong. Linux only: it reads /proc.

usage: npm run soak -- --minutes N [--workers N] [--seed N] [--clients N] [--quiet SECONDS] [--bin FILE] [--json]

  --minutes N      how long faults go on
  --workers N      processes of the proxy (1)
  --seed N         which faults, and when: the same number means the same plan (1)
  --clients N      clients that are at work (40)
  --quiet SECONDS  rest before the last levels are taken (60)
  --bin FILE       the program; default: dist/bin.js
  --json           prints one JSON value on standard output, and nothing else
  --help           this text
`

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    minutes: { type: "string" },
    workers: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    clients: { type: "string", default: "40" },
    quiet: { type: "string", default: "60" },
    bin: { type: "string" },
  },
})
if (values.help || values.minutes === undefined) {
  process.stdout.write(usage)
  process.exit(values.help ? 0 : 2)
}

const tell = ({ ledger, now, rounds, underWay, windows }) => {
  if (!process.stderr.isTTY) return
  const done = [...ledger.kinds.values()].reduce((sum, { failed, left, ok }) => sum + failed + left + ok, 0)
  const faults = Object.values(windows.figures).reduce((sum, count) => sum + count, 0)
  const text = `round ${rounds.length + 1}: ${done + ledger.pending.length} done, ${underWay} under way, ${faults} faults; ${now}`
  process.stderr.write(`\r\u001b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`)
}

function report({
  access_log: accessLog,
  clients,
  explained,
  faults,
  kinds,
  minutes,
  rounds,
  seed,
  workers,
  wrong,
  folder,
}) {
  console.log(
    `${minutes} minutes, ${clients} clients, ${workers} workers, seed ${seed}\n\nwhat clients did: well, left, failed`,
  )
  for (const [kind, { failed, left, ok }] of Object.entries(kinds)) console.log(`  ${kind}: ${ok}, ${left}, ${failed}`)
  console.log("\nfaults")
  for (const [fault, count] of Object.entries(faults)) console.log(`  ${fault}: ${count}`)
  console.log("\nwhat clients saw of them")
  for (const [what, count] of Object.entries(explained)) console.log(`  ${what}: ${count}`)
  console.log("\nlevels at rest: processes, sockets, files, others, fibers, heap and buffers in MiB, resident in MiB")
  for (const { fibers, files, heap, name, others, processes, rss, sockets } of rounds)
    console.log(`  ${name}: ${[processes, sockets, files, others, fibers, mebibytes(heap), mebibytes(rss)].join(", ")}`)
  if (accessLog !== undefined) console.log(`\naccess log: ${accessLog.lines} lines, ${accessLog.counted} counted`)
  console.log(wrong.length === 0 ? "\nnothing is wrong" : `\nwrong: ${wrong.length}`)
  for (const line of wrong.slice(0, 50)) console.log(`  ${line}`)
  if (wrong.length > 0) console.log(`\nlogs and database: ${folder}`)
}

const soak = new Soak({
  bin: values.bin,
  minutes: Number(values.minutes),
  workers: Number(values.workers),
  seed: Number(values.seed),
  clients: Number(values.clients),
  quiet: Number(values.quiet),
  tell,
})
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    soak.end()
    process.exit(1)
  })
await soak.run().catch((error) => soak.wrong.push(`the soak itself: ${error.stack}`))
const { result } = soak
soak.end()
if (process.stderr.isTTY) process.stderr.write("\r\u001b[K")
if (values.json) console.log(JSON.stringify(result))
else report(result)
process.exit(result.wrong.length === 0 ? 0 : 1)
