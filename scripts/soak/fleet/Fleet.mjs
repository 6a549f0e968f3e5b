// A fleet on one machine: PostgreSQL, three proxies, a balancer, servers and clients; sessions change all the time, a proxy is
// killed, the database crashes.
import { fork } from "node:child_process"
import { once } from "node:events"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { here, pause } from "../Lab.mjs"
import { Cluster } from "../postgres/Cluster.mjs"
import { Judge } from "./Judge.mjs"
import { Balancer, Proxy } from "./Machines.mjs"
import { Sessions } from "./Sessions.mjs"

/** Ports of servers; each session has a target of its own there. */
const serverPorts = 40
/** The database is away for so long, in milliseconds. */
const outage = 3_000
/** After it is back, a change has to be in force within so many milliseconds. */
const windowAfterOutage = 2_000

function figuresOf(numbers) {
  const sorted = numbers.toSorted((one, other) => one - other)
  const at = (part) => sorted[Math.ceil(sorted.length * part) - 1]
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) }
}

export class Fleet {
  constructor({ bin, clients, ending, front, note, rate, seconds, sessionCount, window }) {
    Object.assign(this, { bin, clientCount: clients, ending, front, note, rate, seconds, sessionCount, window })
    this.folder = mkdtempSync(join(tmpdir(), "ss-proxy-fleet-"))
    this.children = []
    this.proxies = []
    this.outcomes = []
    this.open = 0
    this.strike = {}
    this.done = { add: 0, retarget: 0, kill: 0, remove: 0 }
    this.inForce = []
    this.wrong = []
  }

  async start() {
    // PostgreSQL may have another user.
    chmodSync(this.folder, 0o755)
    this.cluster = await Cluster.make(join(this.folder, "postgres"))
    this.client = await this.cluster.client()
    const servers = this.#fork("Server.mjs", serverPorts)
    const [ports] = await once(servers, "message")
    this.sessions = new Sessions((statement, ...values) => this.client.query(statement, values), ports, this.ending)
    const url = `postgres://tester@127.0.0.1:${this.cluster.port}/postgres`
    const names = ["a", "b", "c"]
    this.proxies = names.map((name, index) => new Proxy({ bin: this.bin, host: `127.0.0.${index + 2}`, name, url }))
    // At the same time, on an empty database: each makes the tables that are not there.
    await Promise.all(this.proxies.map((proxy) => proxy.start()))
    await this.sessions.add(this.sessionCount)
    this.balancer = new Balancer()
    await this.balancer.start(this.front, this.folder, this.proxies)
    this.clients = this.#fork("Clients.mjs", this.balancer.port, this.clientCount, this.rate)
    this.clients.on("message", ({ open, outcomes }) => {
      this.open = open
      for (const outcome of outcomes) this.outcomes.push(outcome.with(6, this.#nameOf(outcome[6])))
    })
    this.clients.send({ add: this.sessions.ids })
  }

  /** The name of a proxy. HAProxy tells that, nginx the addresses that it tried. */
  #nameOf(told) {
    const address = told?.split(", ").at(-1)
    return this.proxies.find(({ host, port }) => `${host}:${port}` === address)?.name ?? address
  }

  #fork(script, ...args) {
    const child = fork(join(here, "fleet", script), args.map(String), { serialization: "advanced" })
    this.children.push(child)
    return child
  }

  async run() {
    await this.start()
    const part = (this.seconds * 1_000) / 4
    // All WebSockets are to be open first.
    while (this.open < this.clientCount * 0.4 * 0.98) await pause(50)
    this.note(`${this.clientCount} clients are there`)
    await this.#changesFor(part)
    const struck = this.#strikeProxy(part / 2)
    await this.#changesFor(part)
    await struck
    await this.#changesFor(part)
    await this.#crashDatabase()
    await this.#changesFor(part)
    const isOver = once(this.clients, "exit")
    this.clients.send({ end: true })
    await isOver
  }

  async #changesFor(milliseconds) {
    const end = Date.now() + milliseconds
    while (Date.now() < end) {
      await this.#change()
      await pause(100)
    }
  }

  /** One change: half of them give a session another server, and are timed. */
  #change() {
    const chance = Math.random()
    if (chance < 0.5) return this.#retarget()
    if (chance < 0.7) return this.#add()
    if (chance < 0.85) return this.#kill()
    return this.#remove()
  }

  async #add() {
    this.done.add++
    this.clients.send({ add: await this.sessions.add() })
  }

  async #kill() {
    this.done.kill++
    await this.sessions.kill(this.sessions.choose())
  }

  async #remove() {
    this.done.remove++
    const id = this.sessions.choose()
    this.clients.send({ gone: [id] })
    await this.sessions.remove(id, this.window)
  }

  async #retarget() {
    this.done.retarget++
    const id = this.sessions.choose()
    const { target, until } = await this.sessions.retarget(id, this.window)
    this.inForce.push(Math.max(0, (await this.#untilInForce(id, target)) - until))
  }

  /** Asks each proxy until it forwards to the new server; gives when the last one was asked for the first time that it did. */
  async #untilInForce(id, target) {
    const times = this.proxies.map(async (proxy) => {
      const deadline = Date.now() + 10_000
      // One that was killed meanwhile does not count.
      while (proxy.isUp) {
        const asked = Date.now()
        if ((await proxy.ask(id)).text === target) return asked
        if (asked > deadline) return void this.wrong.push(`${proxy.name} never heard of a change of ${id}`)
        await pause(1)
      }
      return 0
    })
    return Math.max(...(await Promise.all(times)).filter(Boolean))
  }

  async #strikeProxy(away) {
    const [, proxy] = this.proxies
    this.note(`kill -9 of ${proxy.name}`)
    this.strike = { name: proxy.name, at: Date.now(), openWebSockets: this.open }
    await proxy.kill()
    await pause(away)
    await proxy.start()
    this.strike.back = Date.now()
    this.note(`${proxy.name} is back`)
  }

  /** Each proxy knows each session first: those have to be answered all the time. */
  async #crashDatabase() {
    for (const proxy of this.proxies)
      for (const id of this.sessions.ids) {
        const { problem } = await proxy.ask(id)
        if (problem !== undefined) this.wrong.push(`${proxy.name} answers for ${id} with ${problem}`)
      }
    this.note("the database crashes")
    const from = Date.now()
    await this.cluster.end("SIGQUIT")
    await pause(outage)
    await this.cluster.start()
    this.client = await this.cluster.client()
    const until = Date.now()
    this.note("the database is back")
    const id = this.sessions.choose()
    const { target } = await this.sessions.retarget(id, windowAfterOutage)
    const inForce = Math.max(until, await this.#untilInForce(id, target))
    this.outage = { from, until, in_force_after_ms: inForce - until }
    if (inForce - until > windowAfterOutage)
      this.wrong.push(`a change was in force ${inForce - until} ms after the outage`)
  }

  get result() {
    const judge = new Judge(this.sessions, this.strike)
    for (const outcome of this.outcomes) judge.take(outcome)
    for (const { log, name } of this.proxies)
      if (/defect|internal_error/.test(log)) judge.wrong.push(`the log of ${name} has a defect`)
    const during = this.outcomes.filter(([, , , at]) => at >= this.outage?.from && at <= this.outage.until)
    return {
      seconds: this.seconds,
      clients: this.clientCount,
      sessions: this.sessionCount,
      kinds: judge.kinds,
      by_proxy: judge.byProxy,
      changes: this.done,
      in_force_ms: figuresOf(this.inForce),
      closed_ms: Object.fromEntries(Object.entries(judge.closing).map(([what, times]) => [what, figuresOf(times)])),
      answers_of_the_server_before: { count: judge.late, latest_ms: judge.latest },
      explained: judge.explained,
      killed: {
        open_websockets: this.strike.openWebSockets,
        closed_websockets: judge.closedByStrike,
      },
      outage: { ...this.outage, answers: during.filter(([, , , , , problem]) => problem === undefined).length },
      wrong: [...this.wrong, ...judge.wrong],
    }
  }

  async end() {
    for (const child of [...this.children, ...this.proxies.map(({ child }) => child), this.balancer?.child])
      child?.kill("SIGKILL")
    await this.cluster?.end("SIGQUIT")
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }
}
