// The clients of `soak:restart`: they go on for as long as they live, and tell what has failed when they are asked (IPC).
import { Agent, request } from "node:http"
import { WebSocket } from "ws"

const [port, longestStream] = process.argv.slice(2).map(Number)
const base = { host: "127.0.0.1", port }
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const uploadPieces = 10
const uploadPiece = Buffer.alloc(32_768, "x")

/** By kind: how many have succeeded, what has failed, and the longest time that one took, in milliseconds. */
const told = {}
const of = (kind) => (told[kind] ??= { count: 0, failures: [], longest: 0 })

/** Kinds of which one is to succeed before "under way" is told. */
const awaited = new Set()

const succeeded = (kind) => {
  if (awaited.delete(kind) && awaited.size === 0) process.send("under way")
}

/** Port of the client and the time when it was connected, by socket: a socket that is closed has forgotten its port. */
const connections = new WeakMap()

const noteConnection = (socket) => {
  if (!connections.has(socket)) connections.set(socket, { localPort: socket.localPort, connectedAt: Date.now() })
}

/** Sends a request; `write` sends its content. Gives what came, or throws an error with the client's connection. */
const ask = (options, write = (outgoing) => outgoing.end()) =>
  new Promise((resolve, reject) => {
    let socket
    const failed = (error) => reject(Object.assign(error, connections.get(socket)))
    const outgoing = request({ ...base, ...options }, (incoming) => {
      let text = ""
      incoming.setEncoding("utf8").on("data", (data) => (text += data))
      incoming.on("error", failed)
      incoming.on("end", () => {
        if (incoming.statusCode === 200) resolve(text)
        else failed(new Error(`${incoming.statusCode} ${text}`))
      })
    })
    outgoing.on("socket", (given) => {
      socket = given
      if (socket.connecting) socket.once("connect", () => noteConnection(given))
    })
    outgoing.on("error", failed)
    write(outgoing)
  })

const expect = (holds, what) => {
  if (!holds) throw new Error(what)
}

/** Does the same again and again, and keeps account. */
async function again(kind, wait, task) {
  const account = of(kind)
  for (;;) {
    const begun = performance.now()
    try {
      await task()
      account.count++
      succeeded(kind)
      account.longest = Math.max(account.longest, performance.now() - begun)
    } catch (error) {
      const { localPort, connectedAt } = error
      const problem = error.code ?? error.message.slice(0, 60)
      account.failures.push({ problem, localPort, connectedAt, failedAt: Date.now() })
      await pause(50)
    }
    if (wait > 0) await pause(wait * (0.5 + Math.random()))
  }
}

const ownConnection = () => new Agent({ keepAlive: true, maxSockets: 1 })

const get = (agent) => async () => expect((await ask({ path: "/app/get", agent })) === "0", "another answer")

const upload = (agent) => async () => {
  const text = await ask({ path: "/app/upload", method: "POST", agent }, async (outgoing) => {
    for (let piece = 0; piece < uploadPieces; piece++) {
      outgoing.write(uploadPiece)
      await pause(60)
    }
    outgoing.end()
  })
  expect(text === String(uploadPieces * uploadPiece.length), `the server got ${text} bytes`)
}

const stream = (agent) => async () => {
  const seconds = 1 + Math.floor(Math.random() * longestStream)
  const text = await ask({ path: `/app/stream/${seconds}`, agent })
  expect(text.endsWith(`line ${seconds * 10 - 1}\nend\n`), "a stream was cut")
}

/** A WebSocket that is used until it is closed. Only that the proxy says 1001 is no failure; its client connects again. */
const webSocket = () =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/app/socket`)
    let sent = 0
    let echoed = 0
    let timer
    let connection
    const failed = (error) => {
      clearInterval(timer)
      reject(Object.assign(error, connections.get(connection)))
    }
    socket.on("upgrade", (response) => {
      connection = response.socket
      noteConnection(connection)
    })
    socket.on("open", () => {
      timer = setInterval(() => socket.send(String(sent++)), 100)
    })
    socket.on("message", (data) => {
      succeeded("WebSockets")
      if (String(data) !== String(echoed++)) failed(new Error("an echo is missing"))
    })
    socket.on("error", failed)
    socket.on("close", (code) => {
      clearInterval(timer)
      if (code === 1001) resolve()
      else failed(new Error(`closed with ${code}`))
    })
  })

const times = (count, begin) => {
  for (let one = 0; one < count; one++) void begin(one)
}

times(8, () => again("new connections", 5, get(new Agent({ keepAlive: false }))))
times(8, () => again("keep-alive, without a pause", 0, get(ownConnection())))
times(16, () => again("keep-alive", 5, get(ownConnection())))
times(16, () => again("keep-alive, a request a second", 1_000, get(ownConnection())))
times(16, () => again("keep-alive, each 5 seconds", 5_000, get(ownConnection())))
times(4, () => again("uploads", 20, upload(ownConnection())))
times(8, () => again("streams", 20, stream(ownConnection())))
times(20, () => again("WebSockets", 1, webSocket))

process.on("message", (asked) => {
  if (asked === "tell") return process.send(told)
  for (const kind of ["new connections", "keep-alive", "uploads", "streams", "WebSockets"]) awaited.add(kind)
})
process.on("disconnect", () => process.exit())
