// One soak: sets everything up, lets faults happen while clients are at work, and compares levels when all is quiet.
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { pause } from "../Lab.mjs"
import { faultsOf } from "./Faults.mjs"
import { Ledger } from "./Ledger.mjs"
import { makeRandom, now } from "./Random.mjs"
import { Windows } from "./Windows.mjs"
import { World } from "./World.mjs"

/** Sessions that no fault of theirs strikes: their clients see nothing of what becomes of others. */
const calmSessions = 6
const otherSessions = 24
const serverCount = 5
/** How many faults are under way at a time at most. */
const mostFaults = 4

export class Soak {
  constructor({ bin, minutes, quiet, seed, workers, clients, tell }) {
    Object.assign(this, { minutes, quiet, clientCount: clients, seed, tell })
    this.random = makeRandom(seed)
    this.world = new World({ bin, workers })
    this.windows = new Windows()
    this.ledger = new Ledger(this.windows)
    this.faults = faultsOf(workers)
    this.chances = this.faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault))
    this.busy = new Set()
    this.wrong = []
    this.rounds = []
    this.underWay = 0
  }

  /** A session that may be struck, and that no other fault has now. */
  takeSession() {
    const free = this.mutable.filter((id) => !this.busy.has(id))
    return this.take(free)
  }

  giveSession(id) {
    this.busy.delete(id)
  }

  /** The same for a server. The first one never fails. */
  takeServer() {
    return this.take(this.world.servers.slice(1).filter((server) => !this.busy.has(server)))
  }

  giveServer(server) {
    this.busy.delete(server)
  }

  take(free) {
    if (free.length === 0) return undefined
    const taken = this.random.pick(free)
    this.busy.add(taken)
    return taken
  }

  async run() {
    const { world } = this
    await world.start(serverCount)
    this.addSessions()
    const atStart = await world.levels()
    this.startClients()
    this.begun = now()
    // Everything once, so that all of the program is loaded before memory is compared.
    await this.round("warm-up", async () => {
      for (const fault of this.faults) await this.strike(fault)
    })
    const until = this.begun + this.minutes * 60_000
    // The seconds of the end are a part of the whole.
    while (now() < until) await this.round("faults", () => this.faultsUntil(Math.min(until, now() + 600_000)))
    await this.round("calm", () => pause(Math.min(15_000, this.minutes * 5_000)), this.quiet)
    await this.compareLog()
    const exit = await world.stop()
    if (exit !== 0) this.wrong.push(`the proxy ended with ${exit}`)
    this.judge(atStart)
  }

  addSessions() {
    const { servers } = this.world
    const rows = [
      ...Array.from({ length: calmSessions }, (_, index) => [`calm-${index}`, servers[0].port]),
      ...Array.from({ length: otherSessions }, (_, index) => [`s-${index}`, servers[index % serverCount].port]),
    ]
    this.mutable = rows.map(([id]) => id).filter((id) => id.startsWith("s-"))
    const add =
      "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, 'active')"
    this.world.sql(...rows.map(([id, port]) => [add, id, `http://127.0.0.1:${port}`]))
    for (const [id, port] of rows) this.windows.move(id, port)()
    this.sessions = rows.map(([id]) => id)
  }

  startClients() {
    const clients = this.world.startClients(this.seed, this.clientCount, this.sessions)
    clients.on("message", ({ outcomes, underWay }) => {
      this.ledger.take(outcomes)
      this.underWay = underWay
      this.heard = now()
    })
    clients.on("exit", (code, signal) => {
      if (!this.isOver) this.wrong.push(`the clients ended with ${code ?? signal}`)
    })
  }

  /** Lets clients work while `work` lasts, then waits until all is quiet, and takes the levels. */
  async round(name, work, quiet = Math.min(this.quiet, 10)) {
    this.phase = name
    this.world.clients.send("work")
    await work()
    // What the last fault did may be seen a little later.
    await pause(3_000)
    this.world.clients.send("rest")
    const asked = now()
    while (!(this.heard > asked + 500 && this.underWay === 0)) {
      if (now() > asked + 100_000) throw new Error(`${this.underWay} things of clients never ended`)
      await pause(100)
    }
    this.phase = "quiet"
    this.world.letGo()
    await pause(quiet * 1_000)
    this.ledger.judge()
    const live = await this.live()
    this.rounds.push({ name, ...(await this.world.levels()), live })
    if (live !== 0) this.wrong.push(`${live} things are live in the proxy after "${name}", and no client is`)
  }

  /** How much the proxy says is live. */
  async live() {
    const { processes } = JSON.parse(await this.world.api("GET", "/v1/processes"))
    return processes.reduce((sum, { live }) => sum + Object.values(live).reduce((part, count) => part + count, 0), 0)
  }

  async strike(fault) {
    this.now = fault.name
    await Promise.resolve(fault.run(this)).catch((error) => this.wrong.push(`${fault.name}: ${error.message}`))
  }

  async faultsUntil(end) {
    const underWay = new Set()
    while (now() < end) {
      if (underWay.size < mostFaults) {
        const one = this.strike(this.random.pick(this.chances)).finally(() => underWay.delete(one))
        underWay.add(one)
      }
      await pause(this.random.between(100, 1_500))
      this.tell(this)
    }
    await Promise.all(underWay)
  }

  /** Every request and WebSocket that is over has a line in the access log, and the log has no word of a defect. */
  async compareLog() {
    const { folder, log, workers } = this.world
    const said = readFileSync(log, "utf8")
    const defects = said.split("\n").filter((line) => /defect|unhandled|FATAL|internal_error/i.test(line))
    if (defects.length > 0) this.wrong.push(`the log tells of ${defects.length} defects: ${defects[0]}`)
    // A worker that was killed has counted what nobody knows any more.
    if (workers > 1) return
    const metrics = await this.world.api("GET", "/metrics")
    const counted = sumOf(metrics, "ss_proxy_http_requests_total") + sumOf(metrics, "ss_proxy_websocket_closed_total")
    await pause(500)
    const lines = readdirSync(folder)
      .filter((name) => name.startsWith("access.log"))
      .reduce((sum, name) => sum + readFileSync(join(folder, name), "utf8").split("\n").length - 1, 0)
    this.accessLog = { counted, lines }
    if (lines !== counted)
      this.wrong.push(`${counted} requests and WebSockets ended, and the access log has ${lines} lines`)
  }

  judge(atStart) {
    const [warm, ...later] = this.rounds
    const last = later.at(-1)
    this.rounds.unshift({ name: "start", ...atStart, live: 0 })
    if (last.sockets !== atStart.sockets)
      this.wrong.push(`${last.sockets} sockets are open at the end, ${atStart.sockets} at the start`)
    if (last.files + last.others > warm.files + warm.others)
      this.wrong.push(
        `${last.files + last.others} files are open at the end, ${warm.files + warm.others} after the warm-up`,
      )
    if (last.fibers > warm.fibers)
      this.wrong.push(`${last.fibers} fibers live at the end, ${warm.fibers} after the warm-up`)
    if (last.heap > warm.heap * 1.1 + 4 * 1_048_576)
      this.wrong.push(`the heap has grown from ${mebibytes(warm.heap)} to ${mebibytes(last.heap)} MiB`)
    if (existsSync(this.world.adminSocket)) this.wrong.push("the admin socket is still there")
  }

  /** Ends every process, and removes the folder, unless something is wrong. */
  end() {
    this.isOver = true
    this.world.end(this.isWrong)
  }

  get isWrong() {
    return this.wrong.length + this.ledger.wrong.length > 0
  }

  /** What came of it. */
  get result() {
    const unexplained = this.ledger.wrong.map(
      ({ at, error, kind, session }) =>
        `${((at - this.begun) / 1_000).toFixed(1)} s, ${kind} of ${session}: ${error} (${this.windows.around(at).join(", ")})`,
    )
    const wrong = [...this.wrong, ...unexplained]
    const { seed, minutes, clientCount: clients, rounds, accessLog } = this
    return {
      seed,
      minutes,
      workers: this.world.workers,
      clients,
      ...this.ledger.figures,
      faults: this.windows.figures,
      rounds,
      access_log: accessLog,
      folder: wrong.length > 0 ? this.world.folder : undefined,
      wrong,
    }
  }
}

export const mebibytes = (bytes) => (bytes / 1_048_576).toFixed(1)

/** The sum of the series of a metric. */
const sumOf = (text, name) =>
  text
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0)
