import { once } from "node:events"
import { request } from "node:http"
import { join } from "node:path"
import { expect, describe, it, onTestFinished } from "vitest"
import { runProgram, start, temporaryFolder } from "./Program.js"

/** Starts a program that runs on, and waits until it has said this. */
const startUntil = async (said: RegExp, args: ReadonlyArray<string>) => {
  const child = start(args)
  onTestFinished(() => void child.kill("SIGKILL"))
  let text = ""
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece))
  while (!said.test(text)) await Promise.race([once(child.stdout, "data"), once(child.stderr, "data")])
  return { child, said: said.exec(text)?.[1] ?? "" }
}

const startProxy = (file: string, ...words: ReadonlyArray<string>) =>
  startUntil(/listening on (\S+);/, ["run", "--port", "0", "--host", "127.0.0.1", "-d", file, ...words])

/** The status of an answer; `host`: what the request calls the other side. */
const statusOf = (url: string, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { headers: { host } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    sent.on("error", reject).end()
  })

describe("ss-proxy dashboard", () => {
  it("gives the address of the admin port, with a token that is let in; names proxies where there are several", async () => {
    const file = join(temporaryFolder(), "sessions.db")
    const none = await runProgram(["dashboard", "-d", file])
    expect(none.code).toBe(1)
    expect(none.stderr).toContain("start one with")
    await startProxy(file, "--admin-port", "0")
    const { code, stdout } = await runProgram(["dashboard", "-d", file])
    expect(code).toBe(0)
    const [, base = "", token = ""] = /^(http:\/\/127\.0\.0\.1:\d+)\/#token=(\S+)\n$/.exec(stdout) ?? []
    const asked = await fetch(`${base}/v1/version`, { headers: { Authorization: `Bearer ${token}` } })
    expect([asked.status, asked.headers.get("ss-proxy-access")]).toEqual([200, "write"])
    await startProxy(file)
    const several = await runProgram(["dashboard", "-d", file])
    expect(several.code).toBe(1)
    expect(several.stderr).toMatch(/2 proxies run on this database: .*name one with --admin/)
  })

  it("serves the page itself where there is only a socket, to who has the token and is no stranger, until a signal", async () => {
    const file = join(temporaryFolder(), "sessions.db")
    const proxy = await startProxy(file)
    const { child, said } = await startUntil(/"url": "(\S+)"/, ["dashboard", "--json", "-d", file])
    const [base = "", token = ""] = said.split("/#token=")
    const as = { headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } }
    expect(await (await fetch(base)).text()).toContain("<!doctype html>")
    expect((await fetch(`${base}/v1/sessions`)).status).toBe(401)
    expect((await fetch(`${base}/metrics`)).status).toBe(200)
    const put = { ...as, method: "PUT", body: '{"url":"http://127.0.0.1:9"}' }
    expect((await fetch(`${base}/v1/sessions/a%2Fb`, put)).status).toBe(201)
    expect(await (await fetch(`${base}/v1/sessions/a%2Fb`, as)).json()).toMatchObject({ id: "a/b" })
    // Neither a name that leads here, nor a page of another origin, nor a way to more tokens.
    expect(await statusOf(`${base}/v1/sessions`, "evil.example")).toBe(421)
    const foreign = { headers: { ...as.headers, Origin: "http://evil.example" } }
    expect((await fetch(`${base}/v1/sessions`, foreign)).status).toBe(403)
    expect((await fetch(`${base}/v1/tokens`, { ...as, method: "POST" })).status).toBe(403)
    // The socket of a proxy that is started again is found again.
    proxy.child.kill("SIGKILL")
    await once(proxy.child, "close")
    expect((await fetch(`${base}/v1/sessions`, as)).status).toBe(502)
    await startProxy(file)
    while ((await fetch(`${base}/v1/sessions`, as)).status !== 200) expect(child.exitCode).toBeNull()
    child.kill("SIGINT")
    const [code] = await once(child, "close")
    expect(code).toBe(0)
  })
})
