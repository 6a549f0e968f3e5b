// Plain requests of a client, each a function of what it may use. It gives what the client saw: `{ server }`, `{ left }`
// if the client went away itself, or `{ error }`.
import { Agent, request as open } from "node:http"
import { connect } from "node:net"
import { setTimeout as pause } from "node:timers/promises"
import { Comparison, drained, piece, somePiece } from "./Content.mjs"

const kept = new Agent({ keepAlive: true, maxFreeSockets: 64, timeout: 20_000 })
/** Nothing may take longer than this: a client that still waits has been forgotten. */
const patience = 90_000

/** The words for an error of a connection. */
const wordOf = ({ code, message }) => (/hang up|aborted/.test(message) ? "hang up" : (code ?? message))

/** What the proxy itself answered. The answer to HEAD does not say. */
const refusalOf = (status, text) => `status ${status} ${/"code":"(\w+)"/.exec(text)?.[1] ?? "unsaid"}`

/**
 * Sends a request; `send` writes its body, `take` sees each chunk of the answer, `judge` says at its end what is wrong with
 * it. `leaveAfter`: milliseconds until the client goes away.
 */
function ask({ port, random }, { path, session, method = "GET", headers = {}, status = 200, isNew, ...rest }) {
  const { judge = () => undefined, leaveAfter, send, take = () => {}, pace } = rest
  return new Promise((resolve) => {
    const agent = isNew ? false : kept
    const call = open({ host: "127.0.0.1", port, path: `/${session}/${path}`, method, headers, agent })
    let isOver = false
    const end = (seen) => {
      if (isOver) return
      isOver = true
      clearTimeout(leaving)
      clearTimeout(waiting)
      if (seen.error !== undefined || seen.left) call.destroy()
      resolve(seen)
    }
    const leave = () => {
      if (random.chance(0.5)) call.socket?.resetAndDestroy?.()
      end({ left: true })
    }
    const leaving = leaveAfter === undefined ? undefined : setTimeout(leave, leaveAfter)
    const waiting = setTimeout(() => end({ error: "hung" }), patience)
    let hasHead = false
    // A reset is an error of the request, also after the head has come.
    call.on("error", (error) => end({ error: hasHead ? "cut" : `${wordOf(error)} before head` }))
    call.on("response", (response) => {
      hasHead = true
      const isRefusal = response.statusCode !== status
      let text = ""
      response.on("data", (data) => {
        if (isRefusal) text += data
        else take(data)
      })
      response.on("error", () => end({ error: "cut" }))
      response.on("end", () => {
        if (isRefusal) return end({ error: refusalOf(response.statusCode, text) })
        const whose = response.headers["x-session"]
        if (whose !== `/${session}`) return end({ error: `altered: the answer is for ${whose}` })
        const problem = judge(response)
        end(problem === undefined ? { server: Number(response.headers["x-server"]) } : { error: problem })
      })
      if (pace !== undefined) readSlowly(response, pace, () => isOver)
    })
    if (send === undefined) call.end()
    else send(call).catch(() => call.destroy())
  })
}

async function readSlowly(response, pace, isOver) {
  while (!isOver()) {
    response.pause()
    await pause(pace)
    response.resume()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A time after which some clients leave. */
const maybeLeave = (random, most) => (random.chance(0.12) ? random.below(most) : undefined)

function small({ random, ...client }, session, isNew) {
  const nonce = random.below(1_000_000_000).toString(36)
  let text = ""
  return ask(
    { random, ...client },
    {
      path: `echo/${nonce}`,
      session,
      isNew,
      take: (data) => (text += data),
      judge: () => (text === JSON.stringify({ nonce }) ? undefined : `altered: ${text}`),
      leaveAfter: maybeLeave(random, 20),
    },
  )
}

/** A download, with its body framed in any way. */
function download(client, session, { most, every, pace }) {
  const { random } = client
  const framing = random.pick(["length", "upper", "chunked", "close"])
  const { offset, length } = somePiece(random, most)
  const arrived = new Comparison(offset, length)
  return ask(client, {
    path: `download/${framing}/${offset}/${length}/${every}`,
    session,
    isNew: random.chance(0.3),
    take: (data) => arrived.take(data),
    // Nobody can tell such a body that breaks off with the server's process from a whole one.
    judge: () => (arrived.problem === "short" && framing === "close" ? "short without a length" : arrived.problem),
    leaveAfter: maybeLeave(random, 400),
    pace,
  })
}

async function writeBody(call, offset, length, random) {
  const content = piece(offset, length)
  const isSlow = random.chance(0.2)
  for (let at = 0; at < length && !call.destroyed;) {
    const size = 1 + random.below(65_536)
    if (!call.write(content.subarray(at, at + size))) await drained(call)
    at += size
    if (isSlow) await pause(random.below(20))
  }
  call.end()
}

/** An upload whose server compares it, and answers with another piece. */
function upload(client, session) {
  const { random } = client
  const up = somePiece(random)
  const down = somePiece(random)
  const arrived = new Comparison(down.offset, down.length)
  return ask(client, {
    path: `exchange/${up.offset}/${up.length}/${down.offset}/${down.length}`,
    session,
    method: "POST",
    headers: random.chance(0.5) ? { "Content-Length": up.length } : { "Transfer-Encoding": "chunked" },
    isNew: random.chance(0.3),
    send: (call) => writeBody(call, up.offset, up.length, random),
    take: (data) => arrived.take(data),
    judge: ({ headers }) =>
      headers["x-upload"] === "intact" ? arrived.problem : `altered: the upload is ${headers["x-upload"]}`,
    leaveAfter: maybeLeave(random, 300),
  })
}

/** An answer without a body. */
function bodiless(client, session) {
  const [path, status, method] = client.random.pick([
    ["none", 204, "GET"],
    ["same", 304, "GET"],
    ["spoken", 200, "HEAD"],
  ])
  let length = 0
  return ask(client, {
    path,
    session,
    status,
    method,
    take: (data) => (length += data.length),
    judge: ({ headers }) => {
      if (length > 0) return "altered: a body where there is none"
      return path === "spoken" && headers["content-length"] !== "12345" ? "altered: another length" : undefined
    },
  })
}

/** Server-sent events: all numbers have to come, in order. */
function events(client, session) {
  const { random } = client
  const count = random.between(5, 60)
  let text = ""
  return ask(client, {
    path: `events/${count}/${random.between(20, 100)}`,
    session,
    take: (data) => (text += data),
    judge: () => {
      const numbers = [...text.matchAll(/^id: (\d+)$/gm)].map(([, number]) => Number(number))
      if (numbers.some((number, index) => number !== index)) return `altered: events ${numbers.join()}`
      return numbers.length === count && text.endsWith("event: end\ndata:\n\n") ? undefined : "short"
    },
    leaveAfter: random.chance(0.3) ? random.below(4_000) : undefined,
  })
}

/** Several requests in one packet; the answers have to come in their order. */
function pipelined({ port, random }, session) {
  const nonces = Array.from({ length: random.between(2, 8) }, () => random.below(1_000_000_000).toString(36))
  const requests = nonces.map((nonce) => `GET /${session}/echo/${nonce} HTTP/1.1\r\nHost: soak\r\n\r\n`)
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(requests.join("")))
    const waiting = setTimeout(() => socket.destroy(new Error("hung")), patience)
    let text = ""
    socket.setEncoding("latin1")
    socket.on("data", (data) => {
      text += data
      if (text.split("HTTP/1.1 ").length > nonces.length && /"nonce":"\w+"}$|"request_id":"\w+"}\n?$/.test(text))
        socket.end()
    })
    socket.on("error", ({ code, message }) => resolve({ error: message === "hung" ? "hung" : `${code} before head` }))
    socket.on("close", () => {
      clearTimeout(waiting)
      const refused = /HTTP\/1\.1 ([345]\d\d)/.exec(text)?.[1]
      if (refused !== undefined) return resolve({ error: refusalOf(refused, text) })
      const got = [...text.matchAll(/"nonce":"(\w+)"/g)].map(([, nonce]) => nonce)
      if (got.some((nonce, index) => nonce !== nonces[index]))
        return resolve({ error: `altered: ${got} for ${nonces}` })
      if (got.length < nonces.length) return resolve({ error: "cut" })
      resolve({ server: Number(/X-Server: (\d+)/i.exec(text)?.[1]) })
    })
  })
}

/** Closes the connections that no request uses. */
export const letGo = () => kept.destroy()

/** What clients do, and how often. */
export const requests = [
  { kind: "get", weight: 30, run: (client, session) => small(client, session, false) },
  { kind: "get on a new connection", weight: 10, run: (client, session) => small(client, session, true) },
  { kind: "pipelined gets", weight: 4, run: pipelined },
  { kind: "download", weight: 8, run: (client, session) => download(client, session, { every: 0 }) },
  { kind: "slow server", weight: 6, run: (client, session) => download(client, session, { most: 65_536, every: 40 }) },
  { kind: "slow reader", weight: 4, run: (client, session) => download(client, session, { every: 0, pace: 15 }) },
  { kind: "upload", weight: 10, run: upload },
  { kind: "no body", weight: 6, run: bodiless },
  { kind: "events", weight: 6, run: events },
]
