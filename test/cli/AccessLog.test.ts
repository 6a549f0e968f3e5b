import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, renameSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { onTestFinished, vi } from "vitest"
import { fairNow } from "../support/FairClock.js"
import { fetchOnce, onDatabase, type Outcome, runProgram, start } from "./Program.js"
import { binary } from "../support/BuiltProgram.js"
import { describeUnless, lacking } from "../support/LeftOut.js"

// Each test starts a program or two.
vi.setConfig({ testTimeout: 30_000 })

/** A proxy with a session `dead`, whose server is not there, and one with a password in its URL. */
const startProxy = async (words: ReadonlyArray<string>, shell?: string) => {
  const { folder, sessions } = onDatabase()
  const database = join(folder, "sessions.db")
  await sessions("add", "dead", "http://127.0.0.1:1")
  const table = new Sqlite(database)
  table
    .prepare("INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, ?)")
    .run("secretive", "http://user:hunter2@127.0.0.1:1", "active")
  table.close()
  const all = ["run", "--host", "127.0.0.1", "--port", "0", "-d", database, ...words]
  const child =
    shell === undefined
      ? start(all, { cwd: folder })
      : spawn("sh", ["-c", `${shell}; exec "$@"`, "sh", process.execPath, binary, ...all], {
          cwd: folder,
          stdio: "pipe",
        })
  onTestFinished(() => void child.kill("SIGKILL"))
  const log = { said: "", printed: "" }
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log.said += text))
  child.stdout.setEncoding("utf8").on("data", (text: string) => (log.printed += text))
  const closed = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  const says = async (text: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = text.exec(log.said)
      if (found !== null) return found
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the proxy ended; it said: ${log.said}`)
      await Promise.race([once(child.stderr, "data"), closed])
    }
  }
  const port = Number((await says(/listening on http:\/\/127\.0\.0\.1:(\d+)/))[1])
  return {
    child,
    folder,
    log,
    port,
    says,
    stop: async () => {
      child.kill("SIGTERM")
      expect(await closed).toBe(0)
    },
  }
}

/** Sends requests at once on one connection. Resolves when all are answered, with the longest wait for the next answer. */
const askAll = async (port: number, requests: ReadonlyArray<string>): Promise<number> => {
  const client = connect(port, "127.0.0.1")
  onTestFinished(() => void client.destroy())
  await once(client, "connect")
  const text = requests.map((target) => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`).join("")
  let answers = 0
  let longest = 0
  let last = performance.now()
  const answered = new Promise<void>((resolve) => {
    client.on("data", (bytes) => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
      answers += bytes.toString("latin1").split("HTTP/1.1 ").length - 1
      if (answers >= requests.length) resolve()
    })
  })
  client.write(text, "latin1")
  await answered
  client.destroy()
  return longest
}

const longTarget = (number: number): string => `/nobody/${number}/${"x".repeat(1_900)}`
const manyLong = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => longTarget(index))

/** Sends `count` requests in rounds that a connection may have ahead, one after the other. */
const askMany = async (port: number, count: number): Promise<number> => {
  let longest = 0
  for (let round = 0; round < count; round += 100)
    longest = Math.max(longest, await askAll(port, manyLong(Math.min(100, count - round))))
  return longest
}

interface Line {
  readonly [name: string]: unknown
}

/** Every line, whole and valid. */
const linesOf = (text: string): ReadonlyArray<Line> => {
  expect(text === "" || text.endsWith("\n")).toBe(true)
  return text
    .split("\n")
    .slice(0, -1)
    .map((line): Line => JSON.parse(line))
}

const linesIn = (path: string): ReadonlyArray<Line> => linesOf(readFileSync(path, "utf8"))

describe("--access-log", () => {
  it.each([
    [[], "GET /nobody/x"],
    [["--access-log=off"], undefined],
    [["--access-log=false"], undefined],
  ] as const)("with %j, by itself before a command as well, is about %s", async (words, expected) => {
    const { log, port, says, stop } = await startProxy(words.length === 0 ? ["--access-log", "--grace", "1"] : words)
    await askAll(port, ["/nobody/x"])
    if (expected !== undefined) await says(/ 404 GET \/nobody\/x /)
    await stop()
    expect(log.said.includes("GET /nobody/x")).toBe(expected !== undefined)
  })

  it("has a line of JSON a request on standard error, on standard output, or in a file", async () => {
    for (const place of ["json", "-", "./access.log"]) {
      const { folder, log, port, stop } = await startProxy(["--access-log", place, "--log-format", "json"])
      await askAll(port, ["/nobody/x", "/dead/y"])
      await stop()
      const text = { json: log.said, "-": log.printed }[place] ?? readFileSync(join(folder, "access.log"), "utf8")
      const lines = linesOf(text).filter(({ kind }) => kind === "request")
      expect(lines).toMatchObject([
        { session: "nobody", target: "/nobody/x", status: 404, cause: "session_not_found", fault: "client" },
        { session: "dead", target: "/dead/y", status: 502, cause: "downstream_unreachable", fault: "downstream" },
      ])
      expect(linesOf(log.said).at(-1)).toMatchObject({ level: "info", message: "stopped" })
    }
  })

  it("is told in one line where its file cannot be opened", async () => {
    const { folder } = onDatabase()
    const words = ["run", "--port", "0", "-d", join(folder, "sessions.db"), "--access-log"]
    const outcome = (place: string): Promise<Outcome> => runProgram([...words, place], { cwd: folder })
    expect(await outcome("./none/access.log")).toMatchObject({
      code: 1,
      stderr: "ss-proxy: the access log ./none/access.log cannot be opened: ENOENT; make its folder first\n",
    })
    expect((await outcome(".")).code).toBe(1)
  })

  it("has each request of a load once while its file is moved away and SIGUSR1 is sent", async () => {
    const { child, folder, port, says, stop } = await startProxy(["--access-log", "./access.log"])
    const path = join(folder, "access.log")
    const asked = askMany(port, 3_000)
    const moved: Array<string> = []
    for (let round = 0; round < 5; round++) {
      await pause(50)
      moved.push(`${path}.${round}`)
      renameSync(path, `${path}.${round}`)
      child.kill("SIGUSR1")
      while (!existsSync(path)) await pause(2)
    }
    await asked
    await says(/was opened again/)
    await stop()
    const counts = new Map<unknown, number>()
    for (const { target } of [...moved, path].flatMap(linesIn)) counts.set(target, (counts.get(target) ?? 0) + 1)
    expect(counts.size).toBe(100)
    expect([...counts.values()].every((count) => count === 30)).toBe(true)
  })

  it("goes on without its disk: no request waits, the file has whole lines, and what is lost is told", async () => {
    const { folder, port, says, stop, log } = await startProxy(["--access-log", "./access.log"], "ulimit -f 1000")
    await askMany(port, 4_000)
    await says(/the access log cannot be written; .*problem=EFBIG/)
    expect(await (await fetchOnce(`http://127.0.0.1:${port}/health`)).text()).toBe("OK")
    await stop()
    const lines = linesIn(join(folder, "access.log")).length
    expect(lines).toBeGreaterThan(100)
    const lost = [...log.said.matchAll(/ dropped=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
    // The request for /health has no line but for being one more that was over.
    expect(lines + lost).toBe(4_001)
    expect(log.said.match(/cannot be written/g)).toHaveLength(1)
  })
})

describeUnless(lacking("mkfifo"))("an access log in a pipe that nobody reads", () => {
  it("keeps no request waiting, is bounded, tells what is lost, and lets the proxy stop in time", async () => {
    const { folder } = onDatabase()
    const pipe = join(folder, "pipe")
    spawnSync("mkfifo", [pipe])
    const { log, port, says, stop } = await startProxy(["--access-log", pipe])
    const before = await askMany(port, 500)
    const longest = await askMany(port, 3_500)
    await says(/lines of the access log are dropped/)
    // As with a file that takes everything; a wait for the pipe would be one for ever.
    expect(longest).toBeLessThan(Math.max(1_000, 20 * before))
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    onTestFinished(() => closeSync(reader))
    const began = fairNow()
    await stop()
    expect(fairNow() - began).toBeLessThan(5_000)
    let held = ""
    const some = Buffer.alloc(65_536)
    for (let size = readSync(reader, some); size > 0; size = readSync(reader, some))
      held += some.toString("utf8", 0, size)
    const lost = [...log.said.matchAll(/ dropped=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
    // What is in the pipe ends where its room ended.
    expect(linesOf(held.slice(0, held.lastIndexOf("\n") + 1)).length + lost).toBe(4_000)
  })
})

describe("an access log that nobody reads, on", () => {
  for (const [what, place] of [
    ["standard output", "-"],
    ["standard error", "json"],
  ] as const)
    it(`${what}, counts what is lost, and lets the proxy stop in time`, async () => {
      const { child, port, says } = await startProxy(["--access-log", place, "--admin-port", "0"])
      const [, admin] = await says(/admin listener on (\S+)/)
      const stream = place === "-" ? child.stdout : child.stderr
      stream?.pause()
      await askMany(port, 4_500)
      const counted = /^ss_proxy_access_log_dropped_total (\d+)$/m
      const [, dropped] = counted.exec(await (await fetchOnce(`${admin}/metrics`)).text()) ?? []
      expect(Number(dropped)).toBeGreaterThan(0)
      const exited = once(child, "exit")
      child.kill("SIGTERM")
      expect(await Promise.race([exited, pause(8_000, "it is still there")])).toEqual([0, null])
    })
})

const pythonOnTerminal = `
import os, pty, signal, sys
terminal, other = pty.openpty()
proxy = os.fork()
if proxy == 0:
    os.setsid()
    os.dup2(other, 2)
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(other)
said = b""
while b"listening on" not in said or b"database=" not in said:
    said += os.read(terminal, 4096)
os.write(1, b"pid=%d " % proxy + said)
signal.pause()
`

describeUnless(lacking("python3"))("a terminal that is stopped", () => {
  it("keeps no request waiting", async () => {
    const { folder } = onDatabase()
    const words = ["run", "--host", "127.0.0.1", "--port", "0", "-d", join(folder, "sessions.db"), "--access-log"]
    const child = spawn("python3", ["-c", pythonOnTerminal, process.execPath, binary, ...words], { stdio: "pipe" })
    let said = ""
    onTestFinished(() => {
      child.kill("SIGKILL")
      process.kill(Number(/pid=(\d+)/.exec(said)?.[1]), "SIGKILL")
    })
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
    while (!/listening on http:\/\/127\.0\.0\.1:\d+/.test(said)) await once(child.stdout, "data")
    const port = Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1])
    await askMany(port, 500)
    expect(await (await fetchOnce(`http://127.0.0.1:${port}/health`)).text()).toBe("OK")
  })
})

describe("secrets", () => {
  const secretRequest = [
    "GET /dead/x?token=hunter2&X-Amz-Signature=hunter2&next=%2F%3Fpassword%3Dhunter2 HTTP/1.1",
    "Host: x",
    "Cookie: session=hunter2",
    "Authorization: Basic aHVudGVyMg==",
    "X-Api-Key: hunter2",
    "Referer: http://x/?code=hunter2",
    "Connection: close",
    "\r\n",
  ].join("\r\n")

  it.each(["pretty", "json"])("are in no line, as %s", async (format) => {
    const words = ["--access-log", format, "--log-format", format, "--log-level", "trace"]
    const { log, port, says, stop } = await startProxy(words)
    for (const text of [
      secretRequest,
      secretRequest.replace("/dead/", "/secretive/"),
      secretRequest.replace("/dead/", "http://u:hunter2@x/dead/"),
    ]) {
      const client = connect(port, "127.0.0.1")
      client.end(text, "latin1")
      await once(client.resume(), "close")
    }
    await says(/(REDACTED[^]*){3}/)
    await stop()
    expect(log.said).not.toMatch(/hunter2|aHVudGVyMg/)
  })
})

describe("bytes of a client's choice", () => {
  const texts = ["\x9b2J", "\xe2\x80\xae", "\xe2\x80\xa8", "\xff\xfe", '"\\', "%0a%1b[2J", "\xc2\x85", "\xed\xa0\x80"]
  const requests = [
    ...texts.map((text) => `GET /nobody/${text} HTTP/1.1\r\nHost: x\r\n`),
    ...texts.map((text) => `GET /nobody/x HTTP/1.1\r\nHost: x\r\nUser-Agent: ${text}${"u".repeat(9_000)}\r\n`),
    'GET /nobody/x HTTP/1.1\r\nHost: x\r\nX-Request-Id: "},{"\r\n',
    "GET /nobody/x HTTP/1.1\r\nHost: \x1b[2J\r\n",
    "\x1b[2J / HTTP/1.1\r\n",
  ]

  it.each(["json", "pretty"])("are one line each that hides nothing, as %s", async (place) => {
    const { log, port, stop } = await startProxy(["--access-log", place])
    for (const text of requests) {
      const client = connect(port, "127.0.0.1")
      client.end(`${text}Connection: close\r\n\r\n`, "latin1")
      await once(client.resume(), "close")
    }
    await stop()
    const said = log.said.replace(/^\S+ INFO .*\n/gm, "")
    expect(said.split("\n")).toHaveLength(requests.length + 1)
    expect(said).not.toMatch(/[\p{Cf}\p{Zl}\u0000-\u0009\u000b-\u001f\u007f-\u009f]/u)
    if (place === "json") expect(linesOf(said)).toHaveLength(requests.length)
  })
})

describe("a session that fails a thousand times", () => {
  it("has one warning, and a count in the end", async () => {
    const { log, port, stop } = await startProxy([])
    await askAll(
      port,
      Array.from({ length: 1_000 }, () => "/dead/x"),
    )
    await stop()
    expect(log.said.match(/WARN /g)).toHaveLength(2)
    expect(log.said).toMatch(
      /WARN {2}failed .*session=dead .*cause=downstream_unreachable .*detail="connect ECONNREFUSED/,
    )
    expect(log.said).not.toMatch(/ code=| cause="/)
    expect(log.said).toMatch(
      /WARN {2}failed again session=dead cause=downstream_unreachable times=999 last_request_id=\w+\n/,
    )
  })
})

describe("--log-format", () => {
  it("writes the log as logfmt, a line an event", async () => {
    const { log, port, stop } = await startProxy(["--log-format", "logfmt"])
    await askAll(port, ["/dead/x"])
    await stop()
    for (const line of log.said.split("\n").slice(0, -1))
      expect(line).toMatch(
        /^time=\S+Z level=(info|warn) message=("([^"\\]|\\.)*"|[^\s"=]+)( \w+=("([^"\\]|\\.)*"|[^\s"=]+))*$/,
      )
  })
})
