// The faults. Each tells whom it strikes and which errors their clients may see, and ends when its cause is over.
import { renameSync, rmSync } from "node:fs"
import Sqlite from "better-sqlite3"
import { pause } from "../Lab.mjs"
import { timeout } from "./World.mjs"

const broken = "cut|short without a length|\\w+ before head|hang up before head|ws ECONN\\w+|ws close 1006"
/** Any of these. The answer to a HEAD that is refused does not say why. */
const pattern = (...errors) =>
  new RegExp(`^(${errors.map((error) => error.replace(/^(status \d+) (.*)$/, "$1 (unsaid|$2)")).join("|")})$`)

/** A change of one session, by any of the ways that there are. */
const change = (soak, { sql, api, cli }) => {
  const { random, world } = soak
  const way = random.pick(["sql", "sql", "api", "api", "cli"])
  if (way === "sql") return world.sql(...sql)
  if (way === "api") return world.api(...api)
  return world.cli("sessions", ...cli)
}

const urlOf = (port) => `http://127.0.0.1:${port}`

const columns = "session_id, downstream_server_url, downstream_server_status"

const add = (soak, id, port) =>
  change(soak, {
    sql: [[`INSERT INTO sessions (${columns}) VALUES (?, ?, 'active')`, id, urlOf(port)]],
    api: ["PUT", `/v1/sessions/${id}`, { url: urlOf(port) }],
    cli: ["add", id, urlOf(port)],
  })

const session = (name, may, work) => ({
  name,
  weight: 4,
  run: (soak) => {
    const id = soak.takeSession()
    if (id === undefined) return undefined
    return soak.windows.during(name, { session: id }, may, () => work(soak, id)).finally(() => soak.giveSession(id))
  },
})

const removed = session(
  "a session removed",
  pattern("status 404 session_not_found", "ws status 404 .*", "ws close 1001", broken),
  async (soak, id) => {
    const { world, windows, random } = soak
    await world.alone(() =>
      change(soak, {
        sql: [["DELETE FROM sessions WHERE session_id = ?", id]],
        api: ["DELETE", `/v1/sessions/${id}`],
        cli: ["remove", id],
      }),
    )
    await pause(random.between(0, 1_500))
    await world.alone(() => add(soak, id, windows.portOf(id)))
  },
)

const moved = session(
  "a session moved to another server",
  pattern("status 503 session_unavailable", "ws status 503 .*", "ws close 1012", broken),
  async (soak, id) => {
    const { world, windows, random } = soak
    const { port } = random.pick(world.servers)
    if (port === windows.portOf(id)) return
    await world.alone(async () => {
      const isDone = windows.move(id, port)
      await change(soak, {
        sql: [["UPDATE sessions SET downstream_server_url = ? WHERE session_id = ?", urlOf(port), id]],
        api: ["PATCH", `/v1/sessions/${id}`, { url: urlOf(port) }],
        cli: ["set", id, "--url", urlOf(port)],
      })
      isDone()
    })
  },
)

const killed = session(
  "a session killed",
  pattern("status 503 session_unavailable", "ws status 503 .*", "ws close (1001|4001)", broken),
  async (soak, id) => {
    await soak.world.alone(() =>
      change(soak, {
        sql: [
          [
            `INSERT INTO session_control (session_id, kills, kill_code) VALUES (?, 1, 4001)
           ON CONFLICT (session_id) DO UPDATE SET kills = ifnull(kills, 0) + 1, kill_code = 4001`,
            id,
          ],
        ],
        api: ["POST", `/v1/sessions/${id}/kill`, { code: 4001 }],
        cli: ["kill", id, "--code", "4001"],
      }),
    )
  },
)

const drained = session(
  "a session drained",
  pattern("status 503 session_unavailable", "ws status 503 .*", "ws close 1001", broken),
  async (soak, id) => {
    const { random, world } = soak
    await world.alone(() =>
      random.chance(0.5)
        ? world.api("POST", `/v1/sessions/${id}/drain`, { grace: "1s" })
        : world.cli("sessions", "drain", id, "--grace", "1s"),
    )
    await pause(random.between(0, 2_000))
    await world.alone(() =>
      random.chance(0.5) ? world.api("DELETE", `/v1/sessions/${id}/drain`) : world.cli("sessions", "resume", id),
    )
  },
)

const paused = session(
  "a session paused",
  pattern("status 503 session_unavailable", "ws status 503 .*"),
  async (soak, id) => {
    const { random, world } = soak
    const set = (status) =>
      world.alone(() =>
        change(soak, {
          sql: [["UPDATE sessions SET downstream_server_status = ? WHERE session_id = ?", status, id]],
          api: ["PATCH", `/v1/sessions/${id}`, { status }],
          cli: ["set", id, "--status", status],
        }),
      )
    await set("paused")
    await pause(random.between(0, 1_500))
    await set("active")
  },
)

const server = (name, weight, may, work) => ({
  name,
  weight,
  run: (soak) => {
    const server = soak.takeServer()
    if (server === undefined) return undefined
    return soak.windows
      .during(name, { port: server.port }, may, () => work(soak, server))
      .finally(() => soak.giveServer(server))
  },
})

const died = pattern("status 502 downstream_(reset|unreachable)", "ws status 502 .*", "ws close 1011", broken)

const serverKilled = server("a server killed", 6, died, async ({ random }, server) => {
  await server.kill()
  await pause(random.between(0, 1_000))
  await server.start()
})

// A request without an answer is not sent again if it may have been acted on: the server's own timers are late.
const late = pattern("status 502 downstream_reset", "ws status 502 downstream_reset")

const serverHeld = server("a server stopped for a moment", 4, late, async ({ random }, { child }) => {
  child.kill("SIGSTOP")
  await pause(random.between(100, timeout * 500))
  child.kill("SIGCONT")
})

const tooLate = pattern(
  "status 504 downstream_timeout",
  "ws status 504 .*",
  "status 502 downstream_(reset|unreachable)",
  "ws status 502 .*",
  broken,
)

const serverHung = server("a server stopped for long", 1, tooLate, async ({ random }, { child }) => {
  child.kill("SIGSTOP")
  await pause(random.between(timeout * 1_000, timeout * 1_500))
  child.kill("SIGCONT")
  await pause(500)
})

/** What no client may notice. */
const unnoticed = (name, weight, work) => ({
  name,
  weight,
  run: (soak) => soak.windows.during(name, {}, undefined, () => work(soak)),
})

const locked = unnoticed("the database locked", 2, ({ random, world }) =>
  world.alone(async () => {
    const db = new Sqlite(world.database, { timeout: 5_000 })
    db.exec("BEGIN EXCLUSIVE")
    await pause(random.between(100, 1_500))
    db.exec("ROLLBACK")
    db.close()
  }),
)

const vacuumed = unnoticed("the database vacuumed", 1, ({ world }) => world.alone(() => world.sql(["VACUUM"])))

const heartbeats = unnoticed("rows written again", 3, ({ random, world }) =>
  world.alone(() =>
    world.sql([
      random.chance(0.5)
        ? "UPDATE sessions SET updated_at = CURRENT_TIMESTAMP"
        : `INSERT OR REPLACE INTO sessions (${columns}) SELECT ${columns} FROM sessions`,
    ]),
  ),
)

const replaced = unnoticed("the database replaced", 2, ({ world }) =>
  world.alone(async () => {
    world.sql([`VACUUM INTO '${world.database}.new'`])
    renameSync(`${world.database}.new`, world.database)
    // Nobody may open the new file until the proxy has let go of the old one's log.
    await pause(2_500)
  }),
)

const rotated = unnoticed("the log rotated", 3, async ({ world }) => {
  renameSync(world.accessLog, `${world.accessLog}.${++world.rotations}`)
  world.proxy.kill("SIGUSR1")
  await pause(1_000)
})

const lost = {
  name: "the database removed and imported",
  weight: 1,
  run: (soak) => {
    const { windows, world, random } = soak
    const file = `${world.folder}/backup.ndjson`
    return world.alone(async () => {
      await world.cli("sessions", "export", "--format", "ndjson", "-o", file)
      await windows.during(
        "the database removed and imported",
        {},
        pattern("status 503 store_unavailable", "ws status 503 store_unavailable"),
        async () => {
          rmSync(world.database)
          await pause(random.between(0, 1_500))
          await world.cli("sessions", "import", file)
          // The file is tried ten times a second.
          await pause(250)
        },
      )
    })
  },
}

const ofWorkers = pattern(broken, "ws close (1001|1011|1012)")

/** The fifth death of one worker within 30 seconds ends the program, as it should. */
const workerKilled = () => {
  const mostDeaths = 4
  const forgottenAfter = 35_000
  let deaths = []
  return {
    name: "a worker killed",
    weight: 3,
    run: ({ random, windows, world }) =>
      windows.during("a worker killed", {}, ofWorkers, async () => {
        const [, ...workers] = world.pids
        const now = performance.now()
        deaths = deaths.filter((at) => now - at < forgottenAfter)
        if (workers.length > 0 && deaths.length < mostDeaths) {
          deaths.push(now)
          process.kill(random.pick(workers), "SIGKILL")
        }
        await pause(1_000)
      }),
  }
}

/** A reload may be refused while old generations finish. */
const unlessRefused = (error) => {
  if (!/still finish what they have begun/.test(error.message)) throw error
}

const reloaded = {
  name: "the program loaded anew",
  weight: 1,
  run: ({ windows, world, random }) =>
    windows.during("the program loaded anew", {}, pattern("cut", "ws close 1001", "short"), async () => {
      await (random.chance(0.5) ? world.api("POST", "/v1/reload") : world.reload()).catch(unlessRefused)
      await pause(5_000)
    }),
}

const always = [
  removed,
  moved,
  killed,
  drained,
  paused,
  serverKilled,
  serverHeld,
  serverHung,
  locked,
  vacuumed,
  heartbeats,
  replaced,
  rotated,
  lost,
]

/** The faults of a proxy with so many workers. */
export const faultsOf = (workers) => (workers > 1 ? [...always, workerKilled(), reloaded] : always)
