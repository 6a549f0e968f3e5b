import { expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { describeUnless } from "../support/LeftOut.js"
import { lackingPostgres } from "../support/PostgresServer.js"
import { Relay } from "../support/Relay.js"
import { testDatabase } from "../support/SharedPostgres.js"
import { json, runProgram, start, temporaryFolder } from "./Program.js"

/** The program on an empty database of its own, whose URL comes by the variable, with a password. */
const onPostgres = async (through: (port: number) => Promise<number> = async (port) => port) => {
  const { run, server, url } = await Effect.runPromise(testDatabase())
  const port = await through(server.port)
  const env = {
    SS_PROXY_DB: url.replace("@", ":s3cret@").replace(String(server.port), String(port)),
    XDG_RUNTIME_DIR: temporaryFolder(),
  }
  const program = async (...args: ReadonlyArray<string>) => {
    const outcome = await runProgram(args, { env })
    expect(`${outcome.stdout}${outcome.stderr}`).not.toContain("s3cret")
    return outcome
  }
  return { url, env, program, run: (statement: string) => Effect.runPromise(run(statement)) }
}

/** A way to the database that can be taken away. */
const relayed = () => {
  const scope = Effect.runSync(Scope.make())
  const end = () => Effect.runPromise(Scope.close(scope, Exit.void))
  onTestFinished(end)
  const through = async (port: number) => (await Effect.runPromise(Scope.extend(Relay.to(port), scope))).port
  return { through, end }
}

/** A server that says the same to everybody. */
const serverSaying = async (words: string): Promise<string> => {
  const server = createServer((_, response) => response.end(words)).listen(0, "127.0.0.1")
  onTestFinished(() => void server.close())
  await once(server, "listening")
  const address = server.address()
  return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
}

describeUnless(lackingPostgres)("the program on PostgreSQL", () => {
  it("adds, lists, changes and removes sessions, and moves them by files", async () => {
    const { program, url } = await onPostgres()
    const absent = await program("sessions", "list")
    expect(absent.code).toBe(1)
    expect(absent.stderr).toContain(`${url} lacks the table sessions`)
    const added = await program("sessions", "add", "a", "http://localhost:9000", "--set-fields", '{"X-Key":"k"}')
    expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining("added a -> http://localhost:9000") })
    expect(await program("sessions", "add", "a", "http://localhost:9000")).toMatchObject({ code: 1 })
    await program("sessions", "set", "a", "--status", "paused")
    expect((await program("sessions", "kill", "a")).code).toBe(0)
    expect((await program("sessions", "drain", "a")).code).toBe(0)
    expect((await program("sessions", "resume", "a")).code).toBe(0)
    expect(json(await program("sessions", "show", "a", "--json"))).toMatchObject({ id: "a", status: "paused" })
    const file = join(temporaryFolder(), "sessions.ndjson")
    expect((await program("sessions", "export", "--output", file, "--format", "ndjson")).code).toBe(0)
    expect(readFileSync(file, "utf8")).toContain('"X-Key')
    expect((await program("sessions", "remove", "a")).code).toBe(0)
    expect((await program("sessions", "list")).stderr).toContain(`no sessions in ${url}; add one`)
    expect((await program("sessions", "import", file)).code).toBe(0)
    expect(json(await program("sessions", "list", "--json"))).toMatchObject([{ id: "a", status: "paused" }])
    expect(await program("sessions", "touch", "a")).toMatchObject({ code: 0, stderr: "" })
    expect(json(await program("sessions", "list", "--idle-for", "60", "--json"))).toEqual([])
  }, 180_000)

  it("says what is wrong with a URL, or with the database, and never the password", async () => {
    const { program, url } = await onPostgres()
    const wrong = await program("sessions", "list", "--db", `${url}?sslmode=no`)
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("sslmode must be one of disable") })
    const away = await program("sessions", "list", "--db", "postgres://me:s3cret@127.0.0.1:1/db")
    expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining("127.0.0.1:1: nothing listens there") })
    const checked = await program("check", "--port", "0", "--downstreams", "0", "--json", "--db", `${url}_none`)
    expect(checked.code).toBe(1)
    expect(json(checked)).toMatchObject({
      checks: expect.arrayContaining([expect.objectContaining({ check: "database", result: "fail" })]),
    })
  }, 180_000)

  it("runs the proxy, which goes by the database at once, and which commands find by a socket of their own", async () => {
    const way = relayed()
    const { env, program, run } = await onPostgres(way.through)
    const [one, other] = [await serverSaying("one"), await serverSaying("other")]
    const proxy = start(["run", "--host", "127.0.0.1", "--port", "0"], { env })
    onTestFinished(() => void proxy.kill("SIGKILL"))
    let said = ""
    proxy.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    while (!/ port=\d+/.test(said)) await once(proxy.stderr, "data")
    const proxyUrl = `http://127.0.0.1:${/ port=(\d+)/.exec(said)?.[1]}`
    const answer = async (path: string) => (await fetch(`${proxyUrl}${path}`)).text()

    const insert = "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status)"
    await run(`${insert} VALUES ('a', '${one}', 'active')`)
    expect(await answer("/a/")).toBe("one")
    await run(`UPDATE sessions SET downstream_server_url = '${other}'`)
    const deadline = Date.now() + 5_000
    while ((await answer("/a/")) !== "other" && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await answer("/a/")).toBe("other")

    const watch = start(["sessions", "watch"], { env })
    onTestFinished(() => void watch.kill("SIGKILL"))
    const seen: Array<string> = []
    watch.stdout.setEncoding("utf8").on("data", (text: string) => seen.push(text))
    // It begins when it listens, which it does not say: changes go on until it tells of one.
    for (let at = 0; seen.length === 0 && at < 200; at++) {
      await run(`UPDATE sessions SET downstream_server_status = '${at % 2 === 0 ? "ready" : "active"}'`)
      await Promise.race([once(watch.stdout, "data"), new Promise((resolve) => setTimeout(resolve, 200))])
    }
    expect(seen.join("")).toContain(`put a -> ${other}`)

    expect(readdirSync(env.XDG_RUNTIME_DIR).join()).toMatch(/^ss-proxy-[0-9a-f]{12}\.[0-9a-f]{6}\.sock$/)
    const explained = await program("explain", "/a/")
    expect(explained).toMatchObject({ code: 0, stderr: "" })
    const checked = await program("check", "--port", "0", "--json")
    expect(json(checked)).toMatchObject({ result: "ok" })

    // The database is away: what is served is told of, and how old that is.
    await way.end()
    while (!said.includes("go on unchecked")) await once(proxy.stderr, "data")
    expect(await answer("/a/")).toBe("other")
    const shown = await program("sessions", "show", "a")
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/^id {2,}a\nurl {2,}http.*\nstatus {2,}/) })
    expect(shown.stderr).toMatch(/^note: the database .* cannot be reached.* which heard of it last \d+ s ago\n$/)
    expect(json(await program("sessions", "show", "a", "--json"))).toMatchObject({ id: "a", as_of: expect.any(String) })
    expect((await program("sessions", "show", "b")).code).toBe(1)
    const away = await program("explain", "/a/")
    expect(away).toMatchObject({ code: 0, stdout: expect.stringContaining("the database is away") })
    const top = await program("top", "--once")
    expect(top).toMatchObject({ code: 0, stdout: expect.stringMatching(/the database is away: .* ago\n.*\na /) })
    proxy.kill("SIGTERM")
    expect((await once(proxy, "close"))[0]).toBe(0)
    expect(said).not.toContain("s3cret")
  }, 180_000)
})
