// Removes sessions with very many WebSockets in one commit. Measures when each WebSocket gets its close frame, how long
// the turns of the proxy's event loop are meanwhile, and how long another session waits for its answers. Linux only.
//
//   node scripts/soak/removal.mjs [--sockets 10000] [--sessions 1]
//
// The proxy needs two descriptors for each WebSocket (ulimit -n). If there are too few, there are fewer WebSockets.
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { answerOf, openWebSocket, pause, withProxy } from "./Lab.mjs"

/** The proxy's promises, in milliseconds: time until every client has its close frame, and length of a turn. */
const toldWithin = 1_000
const longestTurn = 10

const { values } = parseArgs({
  options: {
    sockets: { type: "string", default: "10000" },
    sessions: { type: "string", default: "1" },
    bin: { type: "string" },
  },
})
const files = Number(/Max open files\s+\d+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "latin1"))?.[1])
const sockets = Math.min(Number(values.sockets), Math.floor((files - 100) / 2))
const sessions = Number(values.sessions)

const maskedClosing = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9])

async function openAll(port, hear) {
  let next = 0
  const worker = async () => {
    while (next < sockets) {
      const index = next++
      await openWebSocket(port, `busy-${index % sessions}`, (_frame, socket) => {
        hear()
        socket.end(maskedClosing)
      })
    }
  }
  await Promise.all(Array.from({ length: 50 }, worker))
}

async function soak({ db, port, proxy, start }) {
  const told = { count: 0, last: 0 }
  await openAll(port, () => {
    told.count++
    told.last = performance.now()
  })
  const probe = start("removal/Probe.mjs", port)
  await pause(3_000)
  const calmTurns = await answerOf(proxy)
  const calm = await answerOf(probe)
  const removedAt = performance.now()
  db.exec("DELETE FROM sessions WHERE session_id LIKE 'busy-%'")
  while (told.count < sockets && performance.now() - removedAt < 30_000) await pause(20)
  const turns = await answerOf(proxy)
  const meanwhile = await answerOf(probe)
  await pause(5_000)
  const after = await answerOf(proxy)
  const show = (name, { count, median, p99, longest }) =>
    console.log(
      `${name}: ${count} answers, ms: median ${median.toFixed(2)}, p99 ${p99.toFixed(2)}, longest ${longest.toFixed(1)}`,
    )
  const turn = (name, { wall, cpu }) =>
    console.log(`${name}: longest turn ${wall.toFixed(1)} ms, of the CPU ${cpu.toFixed(1)} ms`)
  console.log(
    `${told.count} of ${sockets} WebSockets of ${sessions} sessions: the last close frame after ${(told.last - removedAt).toFixed(0)} ms`,
  )
  show("before", calm)
  show("meanwhile", meanwhile)
  turn("before", calmTurns)
  turn("until all were told", turns)
  turn("after that", after)
  if (told.count < sockets || told.last - removedAt > toldWithin) throw new Error("not all were told in time")
  if (Math.max(turns.cpu, after.cpu) > longestTurn) throw new Error("a turn of the event loop was too long")
}

/** `calm` is the session whose answers are timed; the others are removed. */
const others = Array.from({ length: sessions }, (_, index) => `busy-${index}`)
await withProxy({ bin: values.bin, logLevel: "info", first: "calm", others }, soak)
