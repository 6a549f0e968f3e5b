import { describe, expect, it } from "@effect/vitest"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { onTestFinished } from "vitest"
import { runProgram } from "./Program.js"

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
    [302, "answers 302; see whether this is the proxy"],
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
    expect(gone.stderr).toContain("see whether the proxy runs there")
  })

  it.each([[["--url", "hello"]], [["--url", "ftp://h"]], [["--port", "0"]]])(
    "is a usage error of %j",
    async (words) => {
      expect((await runProgram(["health", ...words])).code).toBe(2)
    },
  )
})
