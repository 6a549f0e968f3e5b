import { describe, expect, it } from "@effect/vitest"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { onTestFinished } from "vitest"
import { join } from "node:path"
import { json, runProgram, temporaryFolder } from "./Program.js"

const serve = async (answer: RequestListener): Promise<string> => {
  const server = createServer(answer).listen(0, "127.0.0.1")
  await once(server, "listening")
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  // A TCP server has such an address once it listens.
  return String((server.address() as AddressInfo).port)
}

describe("the health of a proxy", () => {
  it("is asked where run would listen, by flag, by variable or by URL", async () => {
    const asked: Array<string | undefined> = []
    const port = await serve((request, response) => {
      asked.push(request.url)
      response.end("ok")
    })
    const up = { code: 0, stdout: `http://127.0.0.1:${port}/health is up\n`, stderr: "" }
    expect(await runProgram(["health", "--port", port])).toEqual(up)
    expect(await runProgram(["health"], { env: { SS_PROXY_PORT: port, SS_PROXY_HOST: "0.0.0.0" } })).toEqual(up)
    expect(await runProgram(["health", "--url", `http://127.0.0.1:${port}`])).toEqual(up)
    expect(asked).toEqual(["/health", "/health", "/health"])
  })

  it.each([
    [503, "answers 503; the proxy stops"],
    [302, "answers 302; check that this is the proxy"],
  ])("is bad where the answer is %i", async (status, message) => {
    const port = await serve((_request, response) => void response.writeHead(status, { location: "/" }).end())
    const { code, stdout, stderr } = await runProgram(["health", "-p", port])
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toContain(message)
  })

  it("is bad where nobody answers, within two seconds", async () => {
    const port = await serve(() => {})
    expect((await runProgram(["health", "-p", port])).stderr).toContain("no answer within 2 s")
    const gone = await runProgram(["health", "--url", "http://127.0.0.1:1"])
    expect([gone.code, gone.stderr.split("\n").length]).toEqual([1, 2])
    expect(gone.stderr).toContain("check that the proxy runs there")
  })

  it("is that of all proxies whose sockets are beside the database, where no other is named", async () => {
    const folder = temporaryFolder()
    const asked: Array<string | undefined> = []
    let status = 200
    for (const name of ["aaaaaa", "bbbbbb"]) {
      const server = createServer(({ headers, url }, response) => {
        asked.push(url)
        response.writeHead(name === "bbbbbb" ? status : 200, { "x-host": headers.host ?? "" }).end()
      }).listen(join(folder, `sessions.db.${name}.sock`))
      await once(server, "listening")
      onTestFinished(() => void server.close())
    }
    const run = (...words: ReadonlyArray<string>) => runProgram(["health", ...words], { cwd: folder })
    const [first, second] = ["sessions.db.aaaaaa.sock", "sessions.db.bbbbbb.sock"]
    expect(await run()).toEqual({ code: 0, stdout: `${first} is up\n${second} is up\n`, stderr: "" })
    expect(asked).toEqual(["/readyz", "/readyz"])
    status = 503
    const failed = await run("--json", "-d", "./sessions.db")
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.stderr)).toEqual({
      error: { code: "not_ready", message: `${second} answers 503`, hint: "the proxy stops, or is not ready" },
    })
    expect(json(failed)).toEqual({
      up: false,
      proxies: [
        { at: first, up: true, status: 200, problem: null },
        { at: second, up: false, status: 503, problem: `${second} answers 503` },
      ],
    })
    const named = await run("--url", "http://127.0.0.1:1", "--json")
    expect(json(named)).toMatchObject({ up: false, proxies: [{ at: "http://127.0.0.1:1/health", status: null }] })
  })

  it.each([[["--url", "hello"]], [["--url", "ftp://h"]], [["--port", "0"]]])(
    "is a usage error of %j",
    async (words) => {
      expect((await runProgram(["health", ...words])).code).toBe(2)
    },
  )
})
