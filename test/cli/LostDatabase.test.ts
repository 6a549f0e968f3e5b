import { describe, expect, it } from "@effect/vitest"
import { once } from "node:events"
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { onTestFinished } from "vitest"
import { fetchOnce, json, onDatabase, start } from "./Program.js"

/** A proxy of the built program that listens, over a database with one session, and a server for sessions. */
const running = async () => {
  const server = createServer((_, response) => response.end("here"))
  await once(server.listen(0, "127.0.0.1"), "listening")
  onTestFinished(() => void server.close())
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const database = onDatabase()
  await database.sessions("add", "a", target)
  const file = join(database.folder, "sessions.db")
  const child = start(["run", "--port", "0", "--host", "127.0.0.1", "-d", file])
  onTestFinished(() => void child.kill("SIGKILL"))
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(said)
      if (found !== null) return found
      await once(child.stderr, "data")
    }
  }
  const [, port] = await says(/ port=(\d+)/)
  const statusOf = async (id: string): Promise<number> => (await fetchOnce(`http://127.0.0.1:${port}/${id}/`)).status
  return { ...database, file, target, child, says, said: () => said, statusOf }
}

/** How often a word stands in a text. */
const countOf = (text: string, word: string): number => text.split(word).length - 1

describe("a database that is removed under a running proxy", () => {
  it("is made again by an import at once, though no request has told the proxy that it is gone", async () => {
    const { folder, file, target, sessions, statusOf, says } = await running()
    expect(await statusOf("a")).toBe(200)
    const backup = join(folder, "sessions.json")
    writeFileSync(backup, JSON.stringify([{ id: "b", url: target }]))
    rmSync(file)
    expect(await sessions("import", backup)).toEqual({ code: 0, stdout: "imported 1 session\n", stderr: "" })
    await says(/INFO .*sessions\.db is back/)
    expect([await statusOf("a"), await statusOf("b")]).toEqual([404, 200])
    expect(json(await sessions("list", "--json"))).toMatchObject([{ id: "b" }])
  })

  it("is missed aloud once, let go with its log, and taken up when it is back", async () => {
    const { file, target, sessions, statusOf, says, said, child } = await running()
    rmSync(file)
    await says(/ERROR .*sessions\.db is gone: all requests are answered with 503/)
    expect([existsSync(`${file}-wal`), existsSync(`${file}-shm`), existsSync(file)]).toEqual([false, false, false])
    expect(await statusOf("a")).toBe(503)
    await pause(1_200)
    expect(await statusOf("a")).toBe(503)
    expect(await sessions("add", "a", target)).toMatchObject({ code: 0 })
    await says(/INFO .*sessions\.db is back: requests are forwarded again/)
    expect(await statusOf("a")).toBe(200)
    expect([countOf(said(), " is gone: all requests"), countOf(said(), " is back: ")]).toEqual([1, 1])
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
    expect(json(await sessions("list", "--json"))).toMatchObject([{ id: "a" }])
  })

  it("is missed as well where a folder takes its place", async () => {
    const { file, statusOf, says } = await running()
    rmSync(file)
    mkdirSync(file)
    await says(/ERROR .*sessions\.db is a folder: all requests are answered with 503/)
    expect(await statusOf("a")).toBe(503)
  })
})

describe("a write-ahead log that is removed under a running proxy", () => {
  it("is told, newer commits are in force within about a second, and the end of the proxy leaves them alone", async () => {
    const { file, sessions, statusOf, says, child } = await running()
    expect(await statusOf("a")).toBe(200)
    rmSync(`${file}-wal`)
    rmSync(`${file}-shm`)
    await sessions("remove", "a")
    await says(/ERROR .*sessions\.db-shm was removed or replaced under the running proxy/)
    expect(await statusOf("a")).toBe(404)
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
    expect(json(await sessions("list", "--json"))).toEqual([])
  })
})

describe("what a proxy that was killed has left of a database that was removed", () => {
  it("does not keep an import from making another", async () => {
    const { file, target, sessions, feed, child } = await running()
    await sessions("add", "b", target)
    child.kill("SIGKILL")
    await once(child, "exit")
    rmSync(file)
    expect([existsSync(`${file}-wal`), existsSync(`${file}-shm`)]).toEqual([true, true])
    expect(await feed(JSON.stringify([{ id: "c", url: target }]), "import", "-")).toMatchObject({ code: 0 })
    expect(json(await sessions("list", "--json"))).toMatchObject([{ id: "c" }])
  })
})
