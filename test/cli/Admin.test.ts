import { once } from "node:events"
import { readdirSync, statSync } from "node:fs"
import { type AddressInfo, connect, createServer } from "node:net"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { fairNow } from "../support/FairClock.js"
import { runProgram, start, temporaryFolder } from "./Program.js"

const wordsOf = (folder: string, ...args: ReadonlyArray<string>): ReadonlyArray<string> => [
  "--port",
  "0",
  "--host",
  "127.0.0.1",
  "-d",
  join(folder, "sessions.db"),
  ...args,
]

/** Starts the program, and waits for its admin listener. */
const startWithAdmin = async () => {
  const folder = temporaryFolder()
  const child = start(wordsOf(folder, "--admin-port", "0"), {})
  onTestFinished(() => void child.kill("SIGKILL"))
  let log = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text))
  const portIn = () => /admin listener on http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1]
  while (portIn() === undefined) await once(child.stderr, "data")
  return { child, folder, port: Number(portIn()) }
}

describe("the admin listener of the program", () => {
  it("says where it is, and shows metrics with the program's version", async () => {
    const { port } = await startWithAdmin()
    const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(scraped).toMatch(/^ss_proxy_build_info\{version="\d+\.\d+\.\d+[^"]*",node="[\d.]+"\} 1$/m)
    expect(scraped).toMatch(/^ss_proxy_sessions\{forwards="true"\} 0$/m)
    expect(await (await fetch(`http://127.0.0.1:${port}/readyz`)).text()).toBe("ok\n")
  })

  it("does not keep the program from ending: what is half sent is cut within a second", async () => {
    const { child, port } = await startWithAdmin()
    const half = connect(port, "127.0.0.1")
    half.on("error", () => {})
    await once(half, "connect")
    half.write("GET /metrics HTTP/1.1\r\nHost: loc")
    await (await fetch(`http://127.0.0.1:${port}/livez`)).text()
    const signalled = fairNow()
    child.kill("SIGTERM")
    const [code] = await once(child, "close")
    expect(code).toBe(0)
    expect(fairNow() - signalled).toBeLessThan(4_000)
  })

  it("ends the program with a hint where its port is taken", async () => {
    const taken = createServer()
    await once(taken.listen(0, "127.0.0.1"), "listening")
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as AddressInfo
    const { code, stderr } = await runProgram(wordsOf(temporaryFolder(), "--admin-port", String(port)))
    expect(code).toBe(1)
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}: the port is in use`)
    expect(stderr).toContain("--admin-port")
  })

  it("has a socket beside the database, which only its user may use, and which is gone when it stops", async () => {
    const { child, folder } = await startWithAdmin()
    const sockets = () => readdirSync(folder).filter((name) => name.endsWith(".sock"))
    expect(sockets()).toEqual([expect.stringMatching(/^sessions\.db\.[0-9a-f]{6}\.sock$/)])
    expect(statSync(join(folder, sockets()[0] ?? "")).mode & 0o777).toBe(0o600)
    child.kill("SIGTERM")
    await once(child, "close")
    expect(sockets()).toEqual([])
  })

  it("ends the program with a hint where the socket that was asked for cannot be made", async () => {
    const { code, stderr } = await runProgram(wordsOf(temporaryFolder(), "--admin-socket", "/no/such/folder/a.sock"))
    expect(code).toBe(1)
    expect(stderr).toContain("cannot listen on /no/such/folder/a.sock: there is no such folder")
    expect(stderr).toContain("--admin-socket")
  })

  it("takes a port, or off", async () => {
    const { code, stderr } = await runProgram(wordsOf(temporaryFolder(), "--admin-port", "none"))
    expect(code).toBe(2)
    expect(stderr).toContain('--admin-port is "none"; it must be a whole number from 0 to 65535, or off')
  })
})
