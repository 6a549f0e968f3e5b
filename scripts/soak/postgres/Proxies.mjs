// Proxies of the built program over a database, and what a client sees of them.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { Agent, createServer, request } from "node:http"
import { connect, createServer as createTcpServer } from "node:net"

/** A proxy that listens. */
export async function startProxy(bin, url, args = []) {
  const child = spawn(
    process.execPath,
    [bin, "run", "--host", "127.0.0.1", "--port", "0", "--log-format", "json", ...args],
    {
      env: { ...process.env, SS_PROXY_DB: url },
      stdio: ["ignore", "pipe", "pipe"],
    },
  )
  let said = ""
  const port = await new Promise((resolve, reject) => {
    const hear = (piece) => {
      said += piece
      const found = /listening on http:\/\/[^:]+:(\d+)/.exec(said)
      if (found !== null) resolve(Number(found[1]))
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    child.once("exit", (code) => reject(new Error(`a proxy ended with ${code}: ${said}`)))
  })
  return { child, port, agent: new Agent({ keepAlive: true, maxSockets: 64 }) }
}

export async function stopProxy({ agent, child }) {
  agent.destroy()
  if (child.exitCode !== null) return
  child.kill("SIGKILL")
  await once(child, "exit")
}

/** Status, content, and how long it took, in milliseconds. */
export const ask = ({ agent, port }, id) =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const sent = request({ agent, host: "127.0.0.1", port, path: `/${id}/` }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (piece) => (text += piece))
      response.on("end", () => resolve({ status: response.statusCode, text, took: performance.now() - startedAt }))
    })
    sent.on("error", reject)
    sent.end()
  })

/** A session's server that says its name. */
export async function serverNamed(name) {
  const server = createServer((_request, response) => response.end(name)).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => (server.closeAllConnections(), server.close()),
  }
}

/** Processor time of a process so far, in microseconds. */
export const processorTime = ({ child }) => {
  // Fields 14 and 15 of proc(5); the second, a name, may have spaces.
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8")
    .replace(/\(.*\)/, "x")
    .split(" ")
  return (Number(fields[13]) + Number(fields[14])) * 10_000
}

/** A TCP relay that may stop passing bytes, as a network does that drops them. */
export async function relayTo(port) {
  const sockets = new Set()
  let isFrozen = false
  const server = createTcpServer((client) => {
    const other = connect(port, "127.0.0.1")
    for (const [from, to] of [
      [client, other],
      [other, client],
    ]) {
      sockets.add(from)
      from.on("data", (chunk) => to.write(chunk))
      from.on("error", () => {})
      from.on("close", () => {
        sockets.delete(from)
        to.destroy()
      })
      if (isFrozen) from.pause()
    }
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const set = (frozen) => {
    isFrozen = frozen
    for (const socket of sockets) {
      if (frozen) socket.pause()
      else socket.resume()
    }
  }
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: server.address().port, freeze: () => set(true), thaw: () => set(false), close }
}
