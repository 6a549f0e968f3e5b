import { once } from "node:events"
import { createServer } from "node:http"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { json, runProgram, start, temporaryFolder } from "./Program.js"

/** A database with a session that nobody serves, and one that is paused. */
const makeDatabase = async () => {
  const file = join(temporaryFolder(), "sessions.db")
  const add = (...words: ReadonlyArray<string>) => runProgram(["sessions", "add", ...words, "-d", file])
  await add("gone", "http://user:hunter2@127.0.0.1:1/base")
  await add("paused", "http://127.0.0.1:1", "--status", "paused")
  return file
}

/** Starts a proxy, and waits until it listens; its admin socket is there before. */
const startProxy = async (file: string, ...words: ReadonlyArray<string>) => {
  const child = start(["run", "--port", "0", "--host", "127.0.0.1", "-d", file, ...words], {})
  onTestFinished(() => void child.kill("SIGKILL"))
  let log = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text))
  const urlIn = () => /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(log)?.[1]
  while (urlIn() === undefined) await once(child.stderr, "data")
  const adminUrl = /admin listener on (\S+)/.exec(log)?.[1]
  return { child, url: urlIn() ?? "", adminUrl: adminUrl ?? "" }
}

const explain = (file: string, ...words: ReadonlyArray<string>) => runProgram(["explain", ...words, "-d", file])

describe("ss-proxy explain", () => {
  it("asks the proxy that runs, and says the same from the database alone", async () => {
    const file = await makeDatabase()
    const alone = await explain(file, "http://localhost/gone/x?token=hunter2")
    expect(alone.stderr).toContain("no proxy runs on this database")
    const { url } = await startProxy(file)
    const asked = await explain(file, `${url}/gone/x?token=hunter2`)
    expect(asked).toEqual({ code: 0, stdout: alone.stdout, stderr: "" })
    expect(asked.stdout).toContain("→ forwards to http://127.0.0.1:1/base/x?token=REDACTED")
    expect(alone.code).toBe(0)
  })

  it("knows names of sessions from the database alone, if it is told below what", async () => {
    const file = await makeDatabase()
    const named = await explain(file, "http://gone.apps.test/x?y=1", "--session-hosts", "apps.test")
    expect(named.stdout).toContain("→ forwards to http://127.0.0.1:1/base/x?y=1")
    expect(named.stdout).toContain("the host names the session gone")
  })

  it("exits with 1 where a request would not be forwarded, and says why", async () => {
    const file = await makeDatabase()
    const paused = await explain(file, "/paused/", "-X", "POST")
    expect(paused.code).toBe(1)
    expect(paused.stdout).toContain("→ 503 session_unavailable: ")
    expect((await explain(file, "/none")).stdout).toContain("→ 404 session_not_found: ")
    expect((await explain(file, "/ws/gone", "--websocket")).code).toBe(0)
    expect((await explain(file, "/ws/gone")).stdout).toContain("→ 426 ")
    expect(json(await explain(file, "/gone", "--json"))).toMatchObject({ verdict: { forwards: true } })
    expect((await explain(file, "/gone", "-X", "NO METHOD")).code).toBe(2)
  })
})

describe("ss-proxy errors", () => {
  it("shows what proxies remember, merged, of all sessions or of one, without secrets", async () => {
    const file = await makeDatabase()
    const [one, other] = [await startProxy(file), await startProxy(file)]
    await fetch(`${one.url}/gone/first?token=hunter2`)
    await fetch(`${other.url}/gone/second`)
    const { code, stdout } = await runProgram(["errors", "-d", file])
    expect(code).toBe(0)
    expect(stdout).toMatch(/gone +502 +downstream_unreachable \(refused\) +127\.0\.0\.1:1 +GET \/gone\/second\n/)
    expect(stdout).toContain("/gone/first?token=REDACTED")
    expect(stdout).not.toContain("hunter2")
    expect(json(await runProgram(["errors", "gone", "--json", "-d", file]))).toHaveLength(2)
    expect(json(await runProgram(["errors", "none", "--json", "-d", file]))).toEqual([])
  })

  it("asks over TCP where it is told to, with a token that the proxy has to know", async () => {
    const file = await makeDatabase()
    const tokens = join(temporaryFolder(), "tokens")
    const token = "a-token-of-this-test"
    writeFileSync(tokens, `read ${token}\n`)
    const { adminUrl } = await startProxy(
      file,
      "--admin-port",
      "0",
      "--admin-token-file",
      tokens,
      "--admin-socket",
      "off",
    )
    const ask = (given: string) =>
      runProgram(["errors", "--json", "--admin", adminUrl], { env: { SS_PROXY_ADMIN_TOKEN: given } })
    expect(await ask(token)).toEqual({ code: 0, stdout: "[]\n", stderr: "" })
    const refused = await ask("another-token-of-a-test")
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("This needs a token")
    expect(refused.stderr).not.toContain("another-token")
  })

  it("says what to start where no proxy runs", async () => {
    const file = await makeDatabase()
    const { code, stderr } = await runProgram(["errors", "-d", file])
    expect(code).toBe(1)
    expect(stderr).toMatch(/no proxy runs on .*sessions\.db.*; start one with .* run -d /)
    const none = await runProgram(["errors", "--admin", "/no/such.sock", "-d", file])
    expect(none.code).toBe(1)
    expect(none.stderr).toContain("the proxy gave no usable answer: connect ENOENT /no/such.sock")
  })
})

describe("the sessions commands that ask running proxies", () => {
  it("list what is live, end one thing, and wait until a drain has left nothing", async () => {
    const file = await makeDatabase()
    const sessions = (...words: ReadonlyArray<string>) => runProgram(["sessions", ...words, "-d", file])
    expect(await sessions("drain", "gone", "--wait")).toMatchObject({
      code: 0,
      stderr: "note: no proxy runs on this database, so nothing is under way\n",
    })
    expect((await sessions("resume", "gone")).code).toBe(0)
    expect((await sessions("kill", "--live", "x-1")).stderr).toContain("no proxy runs on")
    const server = createServer(() => {}).listen(0, "127.0.0.1")
    onTestFinished(() => void server.close())
    await once(server, "listening")
    const address = server.address()
    const port = typeof address === "object" ? address?.port : undefined
    await sessions("add", "slow", `http://127.0.0.1:${port}`)
    const { url } = await startProxy(file)
    const answer = fetch(`${url}/slow/`)
    await once(server, "request")
    expect((await sessions("list", "--live")).stdout).toMatch(/REQ\/S +WS +IDLE .*\nslow /)
    const none = await sessions("kill", "--live", "x-1")
    expect(none.code).toBe(1)
    expect(none.stderr).toContain('nothing with the id "x-1" is under way')
    const waited = await sessions("drain", "slow", "--grace", "1s", "--wait", "--json")
    const lines = waited.stdout
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line))
    expect(waited.code).toBe(0)
    expect(lines.at(1)).toMatchObject({ id: "slow", requests: 1 })
    expect(lines.at(-1)).toMatchObject({ id: "slow", requests: 0, streams: 0, websockets: 0 })
    expect((await answer).status).toBe(503)
  }, 60_000)
})

describe("the program with tokens", () => {
  it("refuses a variable that is no token, without showing it, and a file that it cannot use", async () => {
    const file = join(temporaryFolder(), "sessions.db")
    const short = await runProgram(["run", "-d", file], { env: { SS_PROXY_ADMIN_TOKEN: "hunter2" } })
    expect(short.code).toBe(2)
    expect(short.stderr).toContain("SS_PROXY_ADMIN_TOKEN is no token")
    expect(short.stderr).not.toContain("hunter2")
    const missing = await runProgram(["run", "--port", "0", "-d", file, "--admin-token-file", "/no/such/file"])
    expect(missing.code).toBe(1)
    expect(missing.stderr).toContain("cannot use the tokens in /no/such/file")
  })
})
