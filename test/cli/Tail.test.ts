import { once } from "node:events"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { fetchOnce, runProgram, start, temporaryFolder } from "./Program.js"

/** A command that runs on; what it has written, and a wait for more of it. */
const startReading = (words: ReadonlyArray<string>) => {
  const child = start(words, {})
  onTestFinished(() => void child.kill("SIGKILL"))
  const written = { out: "", log: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => (written.out += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (written.log += text))
  const until = async (stream: "stdout" | "stderr", holds: () => boolean) => {
    while (!holds()) await once(child[stream], "data")
  }
  return { child, written, until }
}

const startProxy = async (file: string) => {
  const proxy = startReading(["run", "--port", "0", "--host", "127.0.0.1", "-d", file])
  const urlIn = () => /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.written.log)?.[1]
  await proxy.until("stderr", () => urlIn() !== undefined)
  return { ...proxy, url: urlIn() ?? "" }
}

/** Asks until that has been seen. */
const askUntil = async (url: string, holds: () => boolean) => {
  while (!holds()) {
    await fetchOnce(url)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe("ss-proxy tail", () => {
  it("shows what ends, also of a proxy that is started anew, until Ctrl-C", async () => {
    const file = join(temporaryFolder(), "sessions.db")
    await runProgram(["sessions", "add", "gone", "http://127.0.0.1:1", "-d", file])
    const none = await runProgram(["tail", "-d", file])
    expect(none.code).toBe(1)
    expect(none.stderr).toContain("no proxy runs on")
    const first = await startProxy(file)
    const tail = startReading(["tail", "gone", "--failed", "-d", file])
    await askUntil(`${first.url}/gone/one?token=hunter2`, () =>
      tail.written.out.includes("GET /gone/one?token=REDACTED"),
    )
    expect(tail.written.out).toMatch(/ 502 GET .* downstream_unreachable: refused client=127\.0\.0\.1 request_id=/)
    first.child.kill("SIGTERM")
    await tail.until("stderr", () => tail.written.log.includes("looking for proxies again"))
    const second = await startProxy(file)
    await askUntil(`${second.url}/gone/two`, () => tail.written.out.includes("/gone/two"))
    tail.child.kill("SIGINT")
    expect((await once(tail.child, "exit"))[0]).toBe(0)
    // A reader that has seen enough.
    const json = startReading(["tail", "--json", "-d", file])
    await askUntil(`${second.url}/gone/three`, () => json.written.out.includes('"target":"/gone/three"'))
    json.child.stdout.destroy()
    let isOver = false
    const end = once(json.child, "exit")
    void end.then(() => (isOver = true))
    await askUntil(`${second.url}/gone/four`, () => isOver)
    expect((await end)[0]).toBe(0)
    expect(json.written.log).toBe("")
  })
})
