// `npm run soak:kill`: see `--help`.
import { parseArgs } from "node:util"
import { answerOf, openWebSocket, pause, withProxy } from "./Lab.mjs"

/** What is promised: time until what is live has ended, in milliseconds, and how much the p99 of others may grow. */
const endedWithin = 1_000
const mostGrowth = 1.1

const usage = `Kills one of many busy sessions. Measures when its WebSocket is closed, whether requests of other sessions fail, and how
long their answers take: in rounds with a kill and rounds without, in turns, for both to meet the same machine.

The p99 of one round is at the mercy of whatever else the machine does. So the two rounds of each pair are compared, and the
script says how far the median of these comparisons can be trusted (a bootstrap, 90 %). It exits with 1 where a request of
another session fails, the session lives on for over a second, or the p99 of others certainly grows by more than 10 %.

usage: npm run soak:kill -- [--sessions 500] [--per-second 4] [--rounds 20] [--seconds 3] [--bin FILE]

  --sessions N    how many are busy
  --per-second N  requests of each in a second
  --rounds N      pairs of rounds
  --seconds N     how long a round takes
  --bin FILE      the program; default: dist/bin.js
  --help          this text
`

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    sessions: { type: "string", default: "500" },
    "per-second": { type: "string", default: "4" },
    rounds: { type: "string", default: "20" },
    seconds: { type: "string", default: "3" },
    bin: { type: "string" },
  },
})
if (values.help) {
  process.stdout.write(usage)
  process.exit()
}
const victim = "busy-0"

/** A WebSocket of the session that is killed: when its close frame comes, and with which code. */
async function watchedWebSocket(port) {
  let hear
  const closed = new Promise((resolve) => (hear = resolve))
  await openWebSocket(port, victim, (frame, socket) => {
    hear({ at: performance.now(), code: frame.readUInt16BE(2) })
    socket.destroy()
  })
  return { closed }
}

const kill = `INSERT INTO session_control (session_id, kills, kill_code) VALUES ('${victim}', 1, 4001)
  ON CONFLICT (session_id) DO UPDATE SET kills = ifnull(kills, 0) + 1`

const roundWith = async (port, db, proxy, clients, isKilling) => {
  // In an object, for an await would wait for its end.
  const { closed } = isKilling ? await watchedWebSocket(port) : {}
  await answerOf(clients)
  await answerOf(proxy)
  const killedAt = performance.now()
  if (isKilling) db.exec(kill)
  await pause(Number(values.seconds) * 1_000)
  const { cpu } = await answerOf(proxy)
  const seen = { ...(await answerOf(clients)), turn: cpu }
  if (closed === undefined) return { ...seen, ended: 0 }
  const { at, code } = await Promise.race([closed, pause(5_000).then(() => ({ at: Infinity, code: 0 }))])
  if (code !== 4_001) throw new Error(`the WebSocket was closed with ${code}`)
  return { ...seen, ended: at - killedAt }
}

const medianOf = (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0

/** Where the median of such numbers lies with 90 % certainty: medians of samples of them. */
function rangeOf(numbers) {
  const medians = Array.from({ length: 2_000 }, () =>
    medianOf(numbers.map(() => numbers[Math.floor(Math.random() * numbers.length)])),
  ).toSorted((one, other) => one - other)
  return [medians[100], medians[1_899]]
}

const percent = (ratio) => `${ratio < 1 ? "" : "+"}${((ratio - 1) * 100).toFixed(1)} %`

function report(name, rounds) {
  const [median, p99, longest, turn] = ["median", "p99", "longest", "turn"].map((part) =>
    medianOf(rounds.map((round) => round[part])),
  )
  const count = rounds.reduce((sum, round) => sum + round.count, 0)
  const failures = rounds.flatMap((round) => round.failures)
  console.log(
    `${name}: ${count} answers, ${failures.length} failures; ms, medians of ${rounds.length} rounds: ` +
      `median ${median.toFixed(2)}, p99 ${p99.toFixed(2)}, longest ${longest.toFixed(1)}, ` +
      `longest turn of the proxy ${turn.toFixed(2)} of the CPU`,
  )
  return failures
}

async function soak({ db, port, proxy, start }) {
  const clients = start("kill/Clients.mjs", port, values.sessions, values["per-second"], victim)
  await pause(5_000)
  const rounds = { calm: [], killing: [] }
  for (let round = 0; round < Number(values.rounds); round++)
    // The first of a pair takes turns, too.
    for (const isKilling of round % 2 === 0 ? [false, true] : [true, false])
      rounds[isKilling ? "killing" : "calm"].push(await roundWith(port, db, proxy, clients, isKilling))
  const failures = [...report("without a kill", rounds.calm), ...report("with a kill", rounds.killing)]
  const ended = rounds.killing.map((round) => round.ended)
  console.log(
    `the WebSocket of the killed session: closed after ${medianOf(ended).toFixed(0)} ms (median), ${Math.max(...ended).toFixed(0)} ms (longest)`,
  )
  const growths = rounds.killing.map(({ p99 }, round) => p99 / (rounds.calm[round]?.p99 ?? p99))
  const [least, most] = rangeOf(growths)
  console.log(
    `p99 of others, with a kill: ${percent(medianOf(growths))}; between ${percent(least)} and ${percent(most)}`,
  )
  if (failures.length > 0) throw new Error(`requests of others failed: ${failures.slice(0, 5).join(", ")}`)
  if (Math.max(...ended) > endedWithin) throw new Error("the session did not end in time")
  if (least > mostGrowth) throw new Error("the others waited longer")
}

const others = Array.from({ length: Number(values.sessions) - 1 }, (_, index) => `busy-${index + 1}`)
await withProxy({ bin: values.bin, logLevel: "error", first: victim, others }, soak).catch((error) => {
  process.stderr.write(`soak:kill: ${error.message}\n`)
  process.exitCode = 1
})
