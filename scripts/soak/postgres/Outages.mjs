// What clients see while the database is away, and how soon all is as it says again.
import { join } from "node:path"
import { pause } from "../Lab.mjs"
import { Cluster } from "./Cluster.mjs"
import { ask, relayTo, startProxy, stopProxy } from "./Proxies.mjs"

const urlOf = (...ports) => `postgres://tester@${ports.map((port) => `127.0.0.1:${port}`).join(",")}/postgres`
const insert =
  "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES ($1, $2, 'active') ON CONFLICT DO NOTHING"

/** Asks again and again until `isOver`, every 10 ms; notes what was answered, and the slowest. */
async function watch(proxy, idOf, isOver) {
  const seen = { statuses: {}, slowest: 0, slowestOfEach: {} }
  for (let count = 0; !isOver(); count++) {
    const { status, took } = await ask(proxy, idOf(count))
    seen.statuses[status] = (seen.statuses[status] ?? 0) + 1
    seen.slowest = Math.max(seen.slowest, took)
    await pause(10)
  }
  return seen
}

const until = async (holds) => {
  const startedAt = performance.now()
  while (!(await holds())) {
    if (performance.now() - startedAt > 30_000) throw new Error("not within 30 s")
    await pause(5)
  }
  return performance.now() - startedAt
}

/** The kinds: where a proxy is told that the database is, how it goes, and how it comes back; gives who is to be written to. */
const kinds = {
  "stop, start": async (primary) => ({
    url: urlOf(primary.port),
    begin: () => primary.end("SIGINT"),
    end: () => primary.start().then(() => primary),
  }),
  "kill -9, start": async (primary) => ({
    url: urlOf(primary.port),
    begin: () => primary.end("SIGKILL"),
    end: () => primary.start().then(() => primary),
  }),
  "black hole": async (primary) => {
    const relay = await relayTo(primary.port)
    return { url: urlOf(relay.port), begin: relay.freeze, end: () => (relay.thaw(), primary), close: relay.close }
  },
  "primary killed, standby promoted": async (primary, folder) => {
    const standby = await Cluster.standbyOf(primary, join(folder, "standby"))
    return {
      url: urlOf(primary.port, standby.port),
      begin: () => primary.end("SIGKILL"),
      end: async () => {
        await standby.run("SELECT pg_promote()")
        return standby
      },
      close: () => standby.end("SIGQUIT"),
    }
  },
}

async function outage(name, { bin, folder, one, other, primary, seconds }) {
  const { begin, close, end, url } = await kinds[name](primary, folder)
  const proxy = await startProxy(bin, url)
  try {
    await primary.run("DELETE FROM sessions")
    for (const id of ["warm", "cold"]) await primary.run(insert, [id, one.url])
    await until(async () => (await ask(proxy, "warm")).status === 200)
    let isOver = false
    const watched = Promise.all([
      watch(
        proxy,
        () => "warm",
        () => isOver,
      ),
      watch(
        proxy,
        (count) => `unknown-${count}`,
        () => isOver,
      ),
    ])
    await begin()
    await pause(seconds * 1_000)
    const writable = await end()
    const unknownBack = await until(async () => (await ask(proxy, "cold")).status === 200)
    await writable.run("UPDATE sessions SET downstream_server_url = $1 WHERE session_id = 'warm'", [other.url])
    const inForce = unknownBack + (await until(async () => (await ask(proxy, "warm")).text === "other"))
    isOver = true
    const [warm, unknown] = await watched
    return { outage: name, warm, unknown, unknownBack, inForce }
  } finally {
    await stopProxy(proxy)
    await close?.()
  }
}

const shown = ({ statuses, slowest }) =>
  `${Object.entries(statuses)
    .map(([status, count]) => `${status} ${count} times`)
    .join(", ")}; slowest ${slowest.toFixed(0)} ms`

/** One after another. Gives whether what is promised was kept, and says what came of each. */
export async function outages(lab) {
  let isKept = true
  for (const name of Object.keys(kinds)) {
    const { inForce, unknown, unknownBack, warm } = await outage(name, lab)
    const others = Object.keys(warm.statuses).filter((status) => status !== "200")
    isKept &&= others.length === 0 && inForce <= 2_000
    process.stdout.write(
      `${name}, ${lab.seconds} s\n  warm: ${shown(warm)}\n  unknown: ${shown(unknown)}\n` +
        `  after it was back: unknown ids after ${unknownBack.toFixed(0)} ms, a change in force after ${inForce.toFixed(0)} ms\n`,
    )
  }
  return isKept
}
