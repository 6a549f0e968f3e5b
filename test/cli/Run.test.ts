import { describe, expect, it } from "@effect/vitest"
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { connect, createServer as createTcpServer, type AddressInfo } from "node:net"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { fetchOnce, runProgram, start, temporaryFolder } from "./Program.js"

/** A proxy that runs as a process of its own, and what it says. */
class Proxy {
  stdout = ""
  stderr = ""
  private readonly ended: Promise<number | null>

  constructor(readonly child: ChildProcessWithoutNullStreams) {
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text))
    this.ended = once(child, "close").then(([code]: Array<number | null>) => code ?? null)
    onTestFinished(() => void child.kill("SIGKILL"))
  }

  /** Waits for something in its log. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.stderr))
  }

  /** Waits for something on its standard output. */
  prints(pattern: RegExp): Promise<RegExpExecArray> {
    return this.until(() => pattern.exec(this.stdout))
  }

  private async until(look: () => RegExpExecArray | null): Promise<RegExpExecArray> {
    for (;;) {
      const found = look()
      if (found !== null) return found
      if (this.child.exitCode !== null) throw new Error(`the proxy ended; it said: ${this.stderr}`)
      await Promise.race([once(this.child.stderr, "data"), once(this.child.stdout, "data"), this.ended])
    }
  }

  /** Its URL, once it listens. */
  async url(): Promise<string> {
    const [, port] = await this.says(/ port=(\d+)/)
    return `http://127.0.0.1:${port}`
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Its exit code. */
  get exitCode(): Promise<number | null> {
    return this.ended
  }
}

const runProxy = (args: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}) => {
  const database = join(temporaryFolder(), "sessions.db")
  const words = ["--port", "0", "--host", "127.0.0.1", "-d", database, ...args]
  const sessions = (...more: ReadonlyArray<string>) => runProgram(["sessions", ...more, "-d", database])
  return { proxy: () => new Proxy(start(words, { env })), run: () => runProgram(words, { env }), sessions }
}

/** A server whose answers begin at once, and end when the test says so. */
const slowServer = async () => {
  const open: Array<ServerResponse> = []
  const server = createServer((_, response) => {
    response.write("begun, ")
    open.push(response)
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, finish: () => open.forEach((response) => response.end("done")) }
}

describe("ss-proxy run", () => {
  it("says where it listens, with which database and how to stop, all of it on standard error", async () => {
    const proxy = runProxy().proxy()
    const url = await proxy.url()
    expect(await (await fetchOnce(`${url}/health`)).text()).toBe("OK")
    expect(proxy.stderr).toMatch(
      /^\S+Z INFO {2}listening on http:\/\/127\.0\.0\.1:\d+; stop with Ctrl-C or SIGTERM .*database=\S+sessions\.db/,
    )
    expect(proxy.stderr).toMatch(/no sessions yet; add one: .* sessions add my-session/)
    proxy.signal("SIGTERM")
    expect(await proxy.exitCode).toBe(0)
    expect(proxy.stdout).toBe("")
    expect(proxy.stderr).not.toContain("\u001b")
  })

  it.each(["run", undefined])("stops on SIGINT too, started with the word %s", async (word) => {
    const proxy = runProxy(word === undefined ? [] : [word]).proxy()
    await proxy.url()
    proxy.signal("SIGINT")
    expect(await proxy.exitCode).toBe(0)
  })

  it("logs what clients send so that it cannot steer a terminal, in quotes as without", async () => {
    const proxy = runProxy(["--access-log"]).proxy()
    const { port } = new URL(await proxy.url())
    for (const word of ["plain", 'quo"ted']) {
      const client = connect(Number(port), "127.0.0.1")
      client.write(`GET /none/${word}\x9b2J\x85 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, "latin1")
      await once(client.resume(), "close")
    }
    await proxy.says(/quo/)
    expect(proxy.stderr).toContain(" 404 GET /none/plain\\x9b2J\\x85 ")
    expect(proxy.stderr).toContain(' 404 GET /none/quo"ted\\x9b2J\\x85 ')
    expect(proxy.stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
  })

  it("logs the pairs of a failure in the order of the access log", async () => {
    const proxy = runProxy(["--log-level", "debug"]).proxy()
    await fetchOnce(`${await proxy.url()}/nobody/x`)
    await proxy.says(/refused/)
    const line = proxy.stderr.split("\n").find((one) => one.includes("refused")) ?? ""
    expect([...line.matchAll(/ (\w+)=/g)].map(([, key]) => key)).toEqual(
      "request_id session method target status cause fault client error".split(" "),
    )
  })

  it("logs nothing below the level, of which the flag wins over the variable", async () => {
    const proxy = runProxy(["--log-level", "warn", "--demo"], { SS_PROXY_LOG_LEVEL: "trace" }).proxy()
    await proxy.prints(/my-session/)
    proxy.signal("SIGTERM")
    expect(await proxy.exitCode).toBe(0)
    expect(proxy.stderr).toBe("")
  })

  it("lets what is in flight finish when it is told to stop", async () => {
    const { proxy, sessions } = runProxy()
    const server = await slowServer()
    await sessions("add", "slow", server.url)
    const running = proxy()
    const response = await fetch(`${await running.url()}/slow/`)
    running.signal("SIGTERM")
    await running.says(/draining/)
    server.finish()
    expect(await response.text()).toBe("begun, done")
    expect(await running.exitCode).toBe(0)
  })

  it("cuts what is in flight at a second signal", async () => {
    const { proxy, sessions } = runProxy()
    const server = await slowServer()
    await sessions("add", "slow", server.url)
    const running = proxy()
    const response = await fetch(`${await running.url()}/slow/`)
    running.signal("SIGTERM")
    await running.says(/draining/)
    running.signal("SIGINT")
    await expect(response.text()).rejects.toThrow()
    expect(await running.exitCode).toBe(0)
  })

  it("fails in one line where the port is taken", async () => {
    const taken = createTcpServer()
    await once(taken.listen(0, "127.0.0.1"), "listening")
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as AddressInfo
    const { code, stdout, stderr } = await runProxy(["--port", String(port)]).run()
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toMatch(new RegExp(`^ss-proxy: cannot listen on 127\\.0\\.0\\.1:${port}: [^\\n]*; [^\\n]*\\n$`))
  })
})

describe("ss-proxy run --demo", () => {
  it("has a session to try, says how on standard output, and takes it away again", async () => {
    const { proxy, sessions } = runProxy(["--demo"])
    const running = proxy()
    const url = await running.url()
    expect(JSON.parse((await sessions("show", "demo", "--json")).stdout)).toMatchObject({ status: "active" })
    const response = await fetchOnce(`${url}/demo/get`)
    expect(response.status).toBe(200)
    await running.prints(/my-session/)
    expect(running.stdout).toContain(`curl ${url}/demo/get`)
    expect(running.stdout).toContain(`${url.replace("http", "ws")}/ws/demo`)
    expect(running.stdout).toContain("sessions add my-session")
    running.signal("SIGTERM")
    expect(await running.exitCode).toBe(0)
    expect((await sessions("list", "--json")).stdout).toBe("[]\n")
  })

  it("leaves the session of another one on the same database alone, and says whose it is", async () => {
    const { proxy, sessions } = runProxy(["--demo"])
    const first = proxy()
    const url = await first.url()
    const stored = (await sessions("export")).stdout
    const second = proxy()
    const otherUrl = await second.url()
    expect(second.stderr).toContain("INFO  the session demo is that of another run --demo on this database")
    expect((await sessions("export")).stdout).toBe(stored)
    expect((await fetchOnce(`${otherUrl}/demo/get`)).status).toBe(200)
    second.signal("SIGTERM")
    expect(await second.exitCode).toBe(0)
    expect((await fetchOnce(`${url}/demo/get`)).status).toBe(200)
    first.signal("SIGTERM")
    expect(await first.exitCode).toBe(0)
    expect((await sessions("list", "--json")).stdout).toBe("[]\n")
  })

  it.each(["SIGKILL", "SIGSTOP"] as const)("takes the place of one that does not answer, after %s", async (signal) => {
    const { proxy, sessions } = runProxy(["--demo"])
    const first = proxy()
    await first.url()
    first.signal(signal)
    const second = proxy()
    expect((await fetchOnce(`${await second.url()}/demo/get`)).status).toBe(200)
    second.signal("SIGTERM")
    expect(await second.exitCode).toBe(0)
    expect((await sessions("list", "--json")).stdout).toBe("[]\n")
  })

  it("leaves a session of one's own with that name alone", async () => {
    const { run, sessions } = runProxy(["--demo"])
    await sessions("add", "demo", "http://user:secret@h:1")
    const { code, stdout, stderr } = await run()
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    expect(stderr).toMatch(/^ss-proxy: there is a session "demo" of your own .*http:\/\/\*\*\*@h:1; .*\n$/)
    expect((await sessions("export")).stdout).toContain("http://user:secret@h:1")
  })
})
