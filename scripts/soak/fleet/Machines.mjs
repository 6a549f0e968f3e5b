// The machines of `soak:fleet`: three proxies, each on a loopback address of its own, and HAProxy in front of them, with the
// configuration of docs/SCALING.md.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { join } from "node:path"
import { freePort, here, pause } from "../Lab.mjs"

export const hasHaproxy = spawnSync("haproxy", ["-v"]).error === undefined

/** Asks for a path at an address; the body of a 200, or what was instead. */
export const ask = (host, port, path, agent) =>
  new Promise((resolve) => {
    const outgoing = request({ host, port, path, agent, timeout: 5_000 }, (incoming) => {
      let text = ""
      incoming.setEncoding("utf8").on("data", (data) => (text += data))
      incoming.on("error", (error) => resolve({ problem: error.code }))
      incoming.on("end", () => resolve(incoming.statusCode === 200 ? { text } : { problem: incoming.statusCode }))
    })
    outgoing.on("timeout", () => outgoing.destroy())
    outgoing.on("error", (error) => resolve({ problem: error.code }))
    outgoing.end()
  })

/** A proxy, of which each start has the same address and port. */
export class Proxy {
  constructor({ bin, host, name, url }) {
    this.bin = bin
    this.host = host
    this.name = name
    this.url = url
    this.port = 0
    this.isUp = false
    this.log = ""
    this.agent = new Agent({ keepAlive: true })
  }

  async start() {
    const flags = ["-H", this.host, "-p", String(this.port), "--db", this.url, "--admin-socket", "off"]
    this.child = spawn(process.execPath, [this.bin, "run", ...flags], { stdio: ["ignore", "ignore", "pipe"] })
    this.ended = once(this.child, "close")
    let said = ""
    await new Promise((resolve, reject) => {
      this.child.stderr.setEncoding("utf8").on("data", (text) => {
        this.log += text
        said += text
        if (/ port=\d+/.test(said)) resolve()
      })
      this.child.once("close", (code) => reject(new Error(`${this.name} ended with ${code}: ${said}`)))
    })
    this.port = Number(/ port=(\d+)/.exec(said)[1])
    this.isUp = true
  }

  async kill() {
    this.isUp = false
    this.child.kill("SIGKILL")
    await this.ended
  }

  /** Asks it for a session, past the balancer. */
  ask(id) {
    return ask(this.host, this.port, `/${id}/x`, this.agent)
  }
}

/** The configuration of the document, with the addresses of these proxies, and the name of a proxy in each of its answers. */
function configuration(port, proxies) {
  const document = readFileSync(join(here, "..", "..", "docs", "SCALING.md"), "utf8")
  const [, text] = /^```haproxy file: haproxy\.cfg\n([^]*?)^```$/m.exec(document)
  const named = text
    .replace(/bind \S+/, `bind 127.0.0.1:${port}`)
    .replace("http-reuse", "http-response set-header X-Fleet %s\n  http-reuse")
  return proxies.reduce(
    (all, { host, name, port }) => all.replace(new RegExp(`server ${name} \\S+`), `server ${name} ${host}:${port}`),
    named,
  )
}

export class Balancer {
  async start(folder, proxies) {
    this.port = await freePort()
    const file = join(folder, "haproxy.cfg")
    writeFileSync(file, configuration(this.port, proxies))
    this.child = spawn("haproxy", ["-db", "-f", file], { stdio: ["ignore", "ignore", "pipe"] })
    let said = ""
    this.child.stderr.on("data", (text) => (said += text))
    while ((await ask("127.0.0.1", this.port, "/health")).problem !== undefined) {
      if (this.child.exitCode !== null) throw new Error(`haproxy ended: ${said}`)
      await pause(50)
    }
  }
}
