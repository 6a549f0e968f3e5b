// The clients of `soak:fleet`. Each asks for a session that it chooses anew each time, or has a WebSocket of it. What came of
// each request, WebSocket and message goes to the parent: [kind, session, sent at, answered at, target, problem, proxy, when its
// WebSocket was open].
import { Agent, request } from "node:http"
import { WebSocket } from "ws"

const [port, count, rate] = process.argv.slice(2).map(Number)
const counts = { keepAlive: Math.round(count * 0.5), own: Math.round(count * 0.1), webSockets: Math.round(count * 0.4) }
const sessions = new Set()
let order = []
let outcomes = []
/** How many WebSockets are open, and whether all is over. */
const state = { open: 0, isOver: false }

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Milliseconds between two things that one client does, on average. */
const interval = (count / rate) * 1_000
const aWhile = () => pause(interval * (0.5 + Math.random()))

const choose = () => order[Math.floor(Math.random() * order.length)]
const tell = (kind, id, sent, answered, target, problem, proxy, opened) =>
  outcomes.push([kind, id, sent, answered, target, problem, proxy, opened])

const get = (id, agent) =>
  new Promise((resolve) => {
    const outgoing = request({ host: "127.0.0.1", port, path: `/${id}/x`, agent }, (incoming) => {
      let text = ""
      const proxy = incoming.headers["x-fleet"]
      incoming.setEncoding("utf8").on("data", (data) => (text += data))
      incoming.on("error", (error) => resolve([undefined, `cut: ${error.code}`, proxy]))
      incoming.on("end", () => {
        if (incoming.statusCode === 200) return resolve([text, undefined, proxy])
        resolve([undefined, `${incoming.statusCode} ${/"code":"(\w+)"/.exec(text)?.[1] ?? "of the balancer"}`, proxy])
      })
    })
    outgoing.on("error", (error) => resolve([undefined, error.code ?? error.message, undefined]))
    outgoing.end()
  })

async function asker(kind, agent) {
  await pause(interval * Math.random())
  while (!state.isOver) {
    const id = choose()
    const sent = Date.now()
    const [target, problem, proxy] = await get(id, agent)
    tell(kind, id, sent, Date.now(), target, problem, proxy)
    await aWhile()
  }
}

/** Sends again and again on a WebSocket until it ends. */
async function converse(socket, id, sent) {
  const opened = Date.now()
  const waiting = []
  socket.on("message", (data) => {
    const [target, number] = String(data).split(" ")
    const { at, expected } = waiting.shift()
    const problem = number === String(expected) ? undefined : "another echo"
    tell("message", id, at, Date.now(), target, problem, undefined, opened)
  })
  for (let expected = 0; socket.readyState === WebSocket.OPEN && !state.isOver; expected++) {
    waiting.push({ at: Date.now(), expected })
    socket.send(String(expected))
    await Promise.race([aWhile(), socket.whenClosed])
  }
  if (socket.readyState === WebSocket.OPEN) return socket.terminate()
  const { code, proxy } = await socket.whenClosed
  tell("closed", id, sent, Date.now(), undefined, String(code), proxy)
}

async function webSocket() {
  await pause(interval * Math.random())
  while (!state.isOver) {
    const id = choose()
    const sent = Date.now()
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${id}/x`, { perMessageDeflate: false })
    let target
    let proxy
    socket.on("upgrade", ({ headers }) => {
      target = headers["x-target"]
      proxy = headers["x-fleet"]
    })
    socket.whenClosed = new Promise((resolve) => socket.on("close", (code) => resolve({ code, proxy })))
    const problem = await new Promise((resolve) => {
      socket.on("open", () => resolve(undefined))
      socket.on("error", (error) => resolve(error.message))
    })
    tell("WebSocket", id, sent, Date.now(), target, problem, proxy)
    if (problem === undefined) {
      state.open++
      await converse(socket, id, sent)
      state.open--
    }
    await pause(50 * Math.random())
  }
}

const times = (number, begin) => Array.from({ length: number }, begin)

function begin() {
  times(counts.keepAlive, () => asker("keep-alive GET", new Agent({ keepAlive: true, maxSockets: 1 })))
  times(counts.own, () => asker("GET on a new connection", new Agent({ keepAlive: false })))
  times(counts.webSockets, webSocket)
}

const report = () => {
  process.send({ outcomes, open: state.open })
  outcomes = []
}

process.on("message", ({ add = [], gone = [], end = false }) => {
  const isFirst = order.length === 0
  for (const id of add) sessions.add(id)
  for (const id of gone) sessions.delete(id)
  order = [...sessions]
  if (isFirst) begin()
  if (!end) return
  state.isOver = true
  report()
  process.exit()
})
setInterval(report, 100)
process.on("disconnect", () => process.exit())
