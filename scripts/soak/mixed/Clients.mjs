// Clients of many sessions, in a process of their own. Each does one thing after another. Tells its parent what became of
// each: `[kind, session, from, at, server, error]`. Asked to `rest`, it tells when nothing is under way any more.
import { setTimeout as pause } from "node:timers/promises"
import { makeRandom, now } from "./Random.mjs"
import { letGo, requests } from "./Requests.mjs"
import { webSocket } from "./WebSockets.mjs"

const [, , port, seed, count, ...sessions] = process.argv
const kinds = [...requests, { kind: "websocket", weight: 14, run: webSocket }]
const chances = kinds.flatMap(({ weight }, index) => Array.from({ length: weight }, () => index))

let outcomes = []
let isResting = true
let underWay = 0

async function once(client) {
  const { kind, run } = kinds[client.random.pick(chances)]
  const session = client.random.pick(sessions)
  const from = now()
  underWay++
  const { error, left, server } = await run(client, session)
  underWay--
  outcomes.push([kind, session, from, now(), left ? "left" : server, error])
}

async function live(random) {
  const client = { port: Number(port), random }
  for (;;) {
    if (isResting) await pause(50)
    else await once(client)
    await pause(random.below(400))
  }
}

for (let index = 0; index < Number(count); index++) live(makeRandom(Number(seed) * 1_000 + index))

setInterval(() => {
  process.send?.({ outcomes, underWay })
  outcomes = []
}, 200)
process.on("message", (said) => (isResting = said === "rest"))
setInterval(() => {
  if (isResting && underWay === 0) letGo()
}, 1_000)
process.on("disconnect", () => process.exit())
