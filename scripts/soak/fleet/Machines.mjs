// The machines of `soak:fleet`: three proxies, each on a loopback address of its own, and a balancer in front of them with the
// configuration of docs/SCALING.md.
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { join } from "node:path"
import { freePort, here, pause } from "../Lab.mjs"

export const isInstalled = (program) => spawnSync(program, ["-v"]).error === undefined

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

/** A file of the document. */
function fileOf(language, name) {
  const document = readFileSync(join(here, "..", "..", "docs", "SCALING.md"), "utf8")
  const block = document.split(`\`\`\`${language} file: ${name}\n`)[1]
  return block.slice(0, block.indexOf("```"))
}

/** The addresses of the document, in the order of the proxies. */
const documented = ["10.0.0.11:8080", "10.0.0.12:8080", "10.0.0.13:8080"]

/**
 * How each balancer is started: the file of the document with the addresses of these proxies, what it needs beside that, and a
 * field in each answer that says who gave it.
 */
const fronts = {
  haproxy: {
    file: "haproxy.cfg",
    adapt: (text, port) =>
      text
        .replace(/bind \S+/, `bind 127.0.0.1:${port}`)
        .replace("http-reuse", "http-response set-header X-Fleet %s\n  http-reuse"),
    args: (file) => ["-db", "-f", file],
  },
  nginx: {
    file: "fleet.conf",
    adapt: (text, port, folder) =>
      `daemon off; pid ${folder}/nginx.pid; error_log stderr crit; worker_processes 1;
      events { worker_connections 16000; }
      http { access_log off; client_body_temp_path ${folder}; proxy_temp_path ${folder}; ${text
        .replace(/listen \S+;/, `listen 127.0.0.1:${port} backlog=4096;`)
        .replace("proxy_pass", "add_header X-Fleet $upstream_addr always; proxy_pass")} }`,
    args: (file) => ["-c", file, "-e", "stderr"],
  },
}

export class Balancer {
  async start(front, folder, proxies) {
    this.port = await freePort()
    const { adapt, args, file } = fronts[front]
    const path = join(folder, file)
    const adapted = adapt(fileOf(front, file), this.port, folder)
    const text = proxies.reduce(
      (all, { host, port }, index) => all.replace(documented[index], `${host}:${port}`),
      adapted,
    )
    writeFileSync(path, text)
    this.child = spawn(front, args(path), { stdio: ["ignore", "ignore", "pipe"] })
    let said = ""
    this.child.stderr.on("data", (data) => (said += data))
    while ((await ask("127.0.0.1", this.port, "/health")).problem !== undefined) {
      if (this.child.exitCode !== null) throw new Error(`${front} ended: ${said}`)
      await pause(50)
    }
  }
}
