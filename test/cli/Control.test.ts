import { describe, expect, it } from "@effect/vitest"
import { once } from "node:events"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { WebSocket, WebSocketServer } from "ws"
import { json, onDatabase, start } from "./Program.js"

const withSession = async () => {
  const database = onDatabase()
  await database.sessions("add", "a", "h:1")
  await database.sessions("add", "b", "h:2")
  return database
}

const view = (value: unknown) => value as { readonly draining_until: string | null; readonly forwards: boolean }

describe("ss-proxy sessions drain", () => {
  it("drains for 30 seconds, or as long as is said, and every command says so", async () => {
    const { sessions } = await withSession()
    const draining = await sessions("drain", "a")
    expect(draining).toMatchObject({ code: 0, stderr: "" })
    expect(draining.stdout).toMatch(/^draining until \S+Z: a -> h:1 \(active, draining\)\n$/)
    const shown = view(json(await sessions("show", "a", "--json")))
    expect(shown.forwards).toBe(false)
    const left = Date.parse(shown.draining_until ?? "") - Date.now()
    expect(left).toBeGreaterThan(20_000)
    expect(left).toBeLessThanOrEqual(30_000)
    expect(view(json(await sessions("show", "b", "--json")))).toMatchObject({ forwards: true, draining_until: null })
    expect((await sessions("show", "a")).stdout).toMatch(
      /\ndrains +until \S+Z \(what is left is killed in \d\d s; requests are answered with 503\)\n/,
    )
    expect((await sessions("list")).stdout).toMatch(/^ID +STATUS +DRAINS +URL +UPDATED\na +active +for \d\d s +h:1 /)
    const longer = view(json(await sessions("drain", "a", "--grace", "2h", "--json")))
    expect(Date.parse(longer.draining_until ?? "") - Date.now()).toBeGreaterThan(7_000_000)
    expect((await sessions("drain", "a", "--grace", "0")).code).toBe(0)
    expect((await sessions("show", "a")).stdout).toContain("(what was left is killed; requests are answered with 503)")
    expect((await sessions("list")).stdout).toMatch(/\na +active +over +h:1 /)
  })

  it("is ended by resume, and not by set", async () => {
    const { sessions } = await withSession()
    await sessions("drain", "a")
    expect(view(json(await sessions("set", "a", "--url", "h:3", "--json"))).draining_until).not.toBeNull()
    expect(await sessions("resume", "a")).toEqual({ code: 0, stdout: "resumed a -> h:3 (active)\n", stderr: "" })
    expect(view(json(await sessions("resume", "a", "--json"))).draining_until).toBeNull()
  })

  it("is exported, and not imported", async () => {
    const { feed, sessions } = await withSession()
    await sessions("drain", "a")
    const exported = await sessions("export")
    expect(exported.stdout).toContain('"draining_until": "2')
    expect(await feed(exported.stdout, "import", "-", "--replace")).toMatchObject({ code: 0 })
    expect(view(json(await sessions("show", "a", "--json"))).draining_until).toBeNull()
  })
})

describe("ss-proxy sessions drain, resume and kill", () => {
  it("say that there is no such session, and what cannot be", async () => {
    const { sessions } = await withSession()
    for (const command of ["drain", "resume", "kill"])
      expect(await sessions(command, "nobody")).toMatchObject({
        code: 1,
        stdout: "",
        stderr: 'ss-proxy: there is no session "nobody"; see "ss-proxy sessions list"\n',
      })
    const wrong: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
      [["drain", "a", "--grace", "soon"], '--grace is "soon"; it must be a time such as 90s, 30m, 12h or 7d'],
      [["kill", "a", "--code", "1000"], '--code is "1000"; it must be 1001, 1008, 1012, or a number from 4000 to 4999'],
      [["kill", "a", "--reason", "x".repeat(101)], "it must be a text of at most 100 bytes"],
    ]
    for (const [args, problem] of wrong) {
      const refused = await sessions(...args)
      expect(refused.code, args.join(" ")).toBe(2)
      expect(refused.stderr).toContain(problem)
    }
  })

  it("show what cannot be used of what others wrote, and put it right", async () => {
    const { sessions, sql } = await withSession()
    sql("INSERT INTO session_control (session_id, kills, drain_since) VALUES ('a', 'many', 1)")
    expect((await sessions("show", "a")).stdout).toMatch(
      /\ncontrol +cannot be used: its kills is "many"; it must be a whole number, or NULL \(requests are answered with 502\)\n/,
    )
    expect(view(json(await sessions("show", "a", "--json")))).toMatchObject({ forwards: false, draining_until: null })
    expect((await sessions("list")).stdout).toMatch(/\na +active +h:1 .* its kills is "many"/)
    await sessions("kill", "a")
    await sessions("resume", "a")
    expect(view(json(await sessions("show", "a", "--json"))).forwards).toBe(true)
  })
})

/** A proxy in a process of its own, and its port. */
const startProxy = async (database: string): Promise<string> => {
  const child = start(["--port", "0", "--host", "127.0.0.1", "-d", database])
  onTestFinished(() => void child.kill("SIGKILL"))
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text))
  for (;;) {
    const port = / port=(\d+)/.exec(stderr)?.[1]
    if (port !== undefined) return port
    await Promise.race([once(child.stderr, "data"), once(child, "exit")])
    if (child.exitCode !== null) throw new Error(`the proxy ended; it said: ${stderr}`)
  }
}

/** A WebSocket server on a free port. */
const startServer = async (): Promise<string> => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 })
  onTestFinished(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  await once(server, "listening")
  const address = server.address()
  return typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : ""
}

/** A WebSocket through a proxy, and how it is closed. */
const open = async (port: string) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/app/`)
  await once(socket, "open")
  return {
    closed: once(socket, "close").then(([code, reason]) => ({
      code: Number(code),
      reason: String(reason),
      at: performance.now(),
    })),
  }
}

describe("two proxies on one database", () => {
  it("obey a kill and a drain of the command line", async () => {
    const { folder, sessions } = onDatabase()
    await sessions("add", "app", await startServer())
    const ports = [await startProxy(join(folder, "sessions.db")), await startProxy(join(folder, "sessions.db"))]
    const peersOf = () => Promise.all(ports.map(open))
    const endsOf = async (peers: Awaited<ReturnType<typeof peersOf>>, since: number) => {
      const ends = await Promise.all(peers.map(({ closed }) => closed))
      // It is at once by promise, which test/proxy/SessionControl.test.ts holds to the second. The rest is for processes that wait for a core.
      for (const { at } of ends) expect(at - since).toBeLessThan(10_000)
      return ends.map(({ code, reason }) => [code, reason])
    }
    const statuses = () => Promise.all(ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/app/`)).status))

    const killed = await peersOf()
    await sessions("kill", "app", "--code", "4321", "--reason", "enough")
    expect(await endsOf(killed, performance.now())).toEqual([
      [4321, "enough"],
      [4321, "enough"],
    ])
    // The server itself has nothing for a plain request.
    expect(await statuses()).toEqual([426, 426])

    const drained = await peersOf()
    await sessions("drain", "app", "--grace", "1s")
    expect(await statuses()).toEqual([503, 503])
    expect(await endsOf(drained, performance.now() + 1_000)).toEqual([
      [1001, "the session was drained"],
      [1001, "the session was drained"],
    ])
    expect(await statuses()).toEqual([503, 503])
    await sessions("resume", "app")
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await statuses()).toEqual([426, 426])
  })
})
