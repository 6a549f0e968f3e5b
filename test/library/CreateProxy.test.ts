import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { runInNewContext } from "node:vm"
import { afterEach, describe, expect, it } from "vitest"
import {
  createProxy,
  type EmbeddedProxy,
  type FinishedTraffic,
  type LogLine,
  type ProxyEvent,
  type ProxyOptions,
  type Verdict,
} from "../../src/index.js"
import { describeUnless } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { testDatabase } from "../support/SharedPostgres.js"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A server of a session, for one test. */
const startServer = (answer: RequestListener): Promise<string> =>
  new Promise((resolve) => {
    const server = createServer(answer)
    cleanups.push(() => {
      server.closeAllConnections()
      server.close()
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`)
    })
  })

const startProxy = async (options: ProxyOptions): Promise<EmbeddedProxy> => {
  const proxy = await createProxy({ host: "127.0.0.1", port: 0, ...options })
  cleanups.push(() => proxy.close({ grace: 0 }))
  return proxy
}

const heard = <Event extends Exclude<ProxyEvent, "close">>(
  proxy: EmbeddedProxy,
  event: Event,
): Promise<FinishedTraffic> =>
  new Promise((resolve) => {
    const off = proxy.on(event, (told) => {
      off()
      if (told !== undefined) resolve(told)
    })
  })

/** Has it promised in another realm, whose promises are no `Promise` here. */
const foreign: <A>(make: () => Promise<A>) => () => PromiseLike<A> = runInNewContext("(make) => async () => make()")

const closed = (proxy: EmbeddedProxy): Promise<void> =>
  new Promise((resolve) => void proxy.on("close", () => resolve()))

/** Asks until the status is this one: a change is in force a few milliseconds after it is made. */
const untilStatus = async (url: string, status: number): Promise<void> => {
  for (;;) {
    const answer = await fetch(url)
    await answer.text()
    if (answer.status === status) return
  }
}

/** An answer that has begun, and does not end. */
const endless: RequestListener = (_, response) => void response.write("a")

describe("a proxy for programs without Effect", () => {
  it("forwards for the sessions that it is given, and for those that come later, until they go", async () => {
    const url = await startServer(({ url: target }, response) => response.end(`asked for ${target}`))
    const proxy = await startProxy({ sessions: { alice: url } })
    expect(await (await fetch(`${proxy.url}/alice/x?y`)).text()).toBe("asked for /x?y")
    expect(await proxy.sessions.set("bob", { url, status: "active" })).toMatchObject({ id: "bob", url })
    await untilStatus(`${proxy.url}/bob/`, 200)
    expect((await proxy.sessions.list()).map(({ id }) => id)).toEqual(["alice", "bob"])
    expect([await proxy.sessions.remove("bob"), await proxy.sessions.remove("bob")]).toEqual([true, false])
    await untilStatus(`${proxy.url}/bob/`, 404)
    expect(await proxy.sessions.get("bob")).toBeUndefined()
  })

  it("lets nothing of one proxy be seen by another", async () => {
    const url = await startServer((_, response) => response.end())
    const [one, other] = [await startProxy({ sessions: { mine: url } }), await startProxy({})]
    expect((await fetch(`${one.url}/mine/`)).status).toBe(200)
    expect((await fetch(`${other.url}/mine/`)).status).toBe(404)
  })

  it("tells of requests that are over, and of those that went wrong", async () => {
    const proxy = await startProxy({ sessions: { gone: "http://127.0.0.1:1" } })
    const both = Promise.all([heard(proxy, "request"), heard(proxy, "error")])
    expect((await fetch(`${proxy.url}/gone/x`)).status).toBe(502)
    const [request, error] = await both
    expect(request).toMatchObject({ sessionId: "gone", target: "/gone/x", status: 502 })
    expect(error.error?._tag).toBe("DownstreamUnreachable")
  })

  it("goes on when a listener throws or rejects, and says so in the log", async () => {
    const lines: Array<LogLine> = []
    const url = await startServer((_, response) => response.end("fine"))
    const proxy = await startProxy({ sessions: { alice: url }, log: (line) => void lines.push(line) })
    proxy.on("request", () => {
      throw new Error("a bug")
    })
    proxy.on("request", () => Promise.reject(new Error("another")))
    const last = heard(proxy, "request")
    expect(await (await fetch(`${proxy.url}/alice/`)).text()).toBe("fine")
    await last
    expect(await (await fetch(`${proxy.url}/alice/`)).text()).toBe("fine")
    const failed = lines.filter(({ message }) => message === "a listener of the proxy failed")
    expect(failed.map(({ cause }) => cause?.split("\n")[0])).toEqual(
      expect.arrayContaining(["Error: a bug", "Error: another"]),
    )
  })

  it("lets no promise of a listener or of the log reject unheard, whoever made it", async () => {
    const unheard: Array<unknown> = []
    const hear = (reason: unknown): void => void unheard.push(reason)
    process.on("unhandledRejection", hear)
    cleanups.push(() => process.off("unhandledRejection", hear))
    const lines: Array<string> = []
    const proxy = await startProxy({
      log: ({ message }) => {
        lines.push(message)
        return Promise.reject(new Error("no place for a log"))
      },
    })
    proxy.on(
      "request",
      foreign(() => Promise.reject(new Error("of another library"))),
    )
    const last = heard(proxy, "request")
    expect((await fetch(`${proxy.url}/nobody/`)).status).toBe(404)
    await last
    await proxy.close({ grace: 0 })
    // Node tells of such promises behind all that is due at once.
    await new Promise(setImmediate)
    expect(lines).toContain("a listener of the proxy failed")
    expect(unheard).toEqual([])
  })

  it("waits for a verdict that another library promises, and lets no request go on by mistake", async () => {
    const url = await startServer((_, response) => response.end())
    const verdicts: Readonly<Record<string, () => Verdict | PromiseLike<Verdict>>> = {
      promised: foreign(() => Promise.resolve({ status: 403 })),
      broken: foreign(() => Promise.reject(new Error("a bug"))),
      // As a program that no compiler has read.
      misspelt: () => Object.assign({ drop: [] }, { statusCode: 403 }),
    }
    const proxy = await startProxy({
      sessions: { alice: url },
      onRequest: ({ target }) => verdicts[target.slice(7)]?.(),
    })
    const statuses = [...Object.keys(verdicts), "other"].map(
      async (path) => (await fetch(`${proxy.url}/alice/${path}`)).status,
    )
    expect(await Promise.all(statuses)).toEqual([403, 500, 500, 200])
  })

  it("answers a request with 500 when the program throws or rejects over it", async () => {
    const url = await startServer((_, response) => response.end())
    const proxy = await startProxy({
      sessions: { alice: url },
      onRequest: ({ target }) => {
        if (target === "/alice/throws") throw new Error("a bug")
        return target === "/alice/rejects" ? Promise.reject(new Error("a bug")) : undefined
      },
    })
    const statuses = ["throws", "rejects", "fine"].map(
      async (path) => (await fetch(`${proxy.url}/alice/${path}`)).status,
    )
    expect(await Promise.all(statuses)).toEqual([500, 500, 200])
  })

  it("does what the program says about a request", async () => {
    const url = await startServer(({ headers }, response) => response.end(String(headers["x-user"])))
    const proxy = await startProxy({
      sessions: { alice: url },
      onRequest: (request) => {
        const token = request.header("Authorization")
        if (token === undefined) return { status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "no token" }
        const verdict = { set: { "X-User": token }, drop: ["Authorization"] }
        return token === "later" ? Promise.resolve(verdict) : verdict
      },
    })
    const refused = await fetch(`${proxy.url}/alice/`)
    expect([refused.status, refused.headers.get("www-authenticate"), await refused.text()]).toEqual([
      401,
      "Bearer",
      "no token",
    ])
    for (const token of ["now", "later"])
      expect(await (await fetch(`${proxy.url}/alice/`, { headers: { Authorization: token } })).text()).toBe(token)
  })

  it("tells the program when nobody waits for its verdict any more", async () => {
    let asked = () => {}
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    let aborted = () => {}
    const isAborted = new Promise<void>((resolve) => (aborted = resolve))
    const proxy = await startProxy({
      sessions: { alice: "http://127.0.0.1:1" },
      onRequest: ({ signal }) => {
        signal.addEventListener("abort", aborted)
        asked()
        return new Promise(() => {})
      },
    })
    const answer = expect(fetch(`${proxy.url}/alice/`)).rejects.toThrow()
    await isAsked
    // What waits for the verdict begins to in this turn of the event loop.
    await new Promise(setImmediate)
    await proxy.close({ grace: 0 })
    await Promise.all([isAborted, answer])
  })

  it("looks sessions up by a function, and again when what it said is old", async () => {
    const url = await startServer((_, response) => response.end("here"))
    const servers = new Map<string, string>()
    const lookUp = async (id: string) => {
      if (id === "broken") throw new Error("the service is down")
      return servers.get(id)
    }
    const proxy = await startProxy({ lookUp, lookUpEvery: 5 })
    expect((await fetch(`${proxy.url}/alice/`)).status).toBe(404)
    servers.set("alice", url)
    await untilStatus(`${proxy.url}/alice/`, 200)
    expect((await fetch(`${proxy.url}/broken/`)).status).toBe(503)
    await expect(proxy.sessions.set("bob", url)).rejects.toThrow("cannot be changed here")
    await expect(proxy.sessions.list()).rejects.toThrow("cannot be counted or listed")
  })

  it("keeps sessions in a file that others read, too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ss-proxy-embedded-"))
    cleanups.push(() => rmSync(folder, { recursive: true }))
    const url = await startServer((_, response) => response.end("here"))
    const [one, other] = [
      await startProxy({ database: `sqlite:${join(folder, "s.db")}` }),
      await startProxy({ database: `sqlite:${join(folder, "s.db")}` }),
    ]
    await one.sessions.set("alice", url)
    await untilStatus(`${other.url}/alice/`, 200)
  })

  it("closes once, however often it is told to, cuts at once where that is asked, and says when it is done", async () => {
    const url = await startServer(endless)
    const proxy = await startProxy({ sessions: { alice: url } })
    const { body } = await fetch(`${proxy.url}/alice/`)
    const told = closed(proxy)
    const polite = proxy.close()
    const read = new Response(body).text()
    const rejected = expect(read).rejects.toThrow()
    await proxy.close({ grace: 0 })
    await Promise.all([polite, told, rejected])
    await expect(fetch(proxy.url)).rejects.toThrow()
  })

  it("says that it is closed, and goes on where it was told of no time", async () => {
    const proxy = await startProxy({})
    for (const grace of [Number.NaN, -1])
      await expect(proxy.close({ grace })).rejects.toMatchObject({ _tag: "SettingsError", setting: "grace" })
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200)
    await proxy.close({ grace: 0 })
    await proxy.close({ grace: 0 })
    await expect(proxy.sessions.list()).rejects.toMatchObject({
      _tag: "StoreUnavailable",
      problem: "the proxy is closed",
    })
  })

  it("is closed by its signal, and does not start where that is aborted already", async () => {
    const controller = new AbortController()
    const proxy = await startProxy({ signal: controller.signal })
    const told = closed(proxy)
    controller.abort(new Error("enough"))
    await told
    await expect(createProxy({ signal: controller.signal })).rejects.toThrow("enough")
  })

  it("gives up its start when its signal is aborted meanwhile", async () => {
    const controller = new AbortController()
    const starting = createProxy({ host: "127.0.0.1", port: 0, signal: controller.signal })
    controller.abort(new Error("enough"))
    await expect(starting).rejects.toThrow("enough")
  })

  it("rejects with the error itself, which says what to do", async () => {
    const { address } = await startProxy({})
    await expect(startProxy({ port: address.port })).rejects.toMatchObject({ _tag: "ListenError" })
    await expect(startProxy({ port: -1 })).rejects.toMatchObject({ _tag: "SettingsError", setting: "port" })
    await expect(startProxy({ database: "mysql://x:secret@y/z" })).rejects.toThrow(/^database is no database URL; use/)
    await expect(startProxy({ database: "sqlite:a", sessions: {} })).rejects.toMatchObject({ setting: "sessions" })
    for (const lookUpEvery of [0, Number.NaN])
      await expect(startProxy({ lookUpEvery })).rejects.toMatchObject({ setting: "lookUpEvery" })
    await expect(startProxy({ sessions: { "": "http://a" } })).rejects.toMatchObject({ _tag: "SessionInvalid" })
    await expect(startProxy({ database: "postgres://a:se@cret@b/c" })).rejects.toMatchObject({
      _tag: "PostgresUrlInvalid",
    })
  })

  it("has the admin listener where a setting asks for it", async () => {
    const proxy = await startProxy({ adminPort: 0 })
    expect((await fetch(`${proxy.adminUrl}/livez`)).status).toBe(200)
    expect((await startProxy({})).adminUrl).toBeUndefined()
  })
})

describe("a process that has closed its proxy", () => {
  it("ends by itself", async () => {
    const library = pathToFileURL(join(import.meta.dirname, "../../dist/index.js")).href
    const program = `import { createProxy } from ${JSON.stringify(library)}
      const proxy = await createProxy({ host: "127.0.0.1", port: 0, adminPort: 0, adminToken: "a-token-of-this-test", log() {} })
      proxy.on("request", () => {})
      await (await fetch(proxy.url + "/health", { headers: { Connection: "close" } })).text()
      await proxy.close()`
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "inherit", "inherit"],
    })
    expect(await once(child, "exit")).toEqual([0, null])
  })
})

describeUnless(lackingPostgres)("createProxy over PostgreSQL", () => {
  it("serves what its sessions say, whoever writes them, and lets go of the database", async () => {
    const { run, url } = await Effect.runPromise(testDatabase())
    const proxy = await startProxy({ database: url })
    const server = await startServer((request, response) => response.end(request.url))
    await proxy.sessions.set("alice", server)
    expect(await (await fetch(`${proxy.url}/alice/x`)).text()).toBe("/x")
    await Effect.runPromise(run("DELETE FROM sessions"))
    await untilStatus(`${proxy.url}/alice/x`, 404)
    await proxy.close({ grace: 0 })
    const others =
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    // The server notices that a connection has ended a moment after it has.
    while ((await Effect.runPromise(run(others)))[0]?.["count"] !== "0");
  })
})
