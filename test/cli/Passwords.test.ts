import { describe, expect, it } from "@effect/vitest"
import { once } from "node:events"
import { request } from "node:http"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { json, onDatabase, start } from "./Program.js"

/** URLs with a password, as people have mistyped them; the last can be used. */
const urls = [
  "http://admin:hun/ter2@h",
  "http://admin:hun#ter2@h",
  "http://admin:hun?ter2@h",
  "http://admin:hun\\ter2@h",
  "\u00a0http://admin:hunter2@h",
  '"http://admin:hunter2@h"',
  "http//admin:hunter2@h",
  "http:/admin:hunter2@h",
  "http:admin:hunter2@h",
  "htp://admin:hunter2@h",
  "http://admin:hunter2%40h",
  "admin:hun/ter2@h:1",
  "http://admin:hunter2@127.0.0.1:1",
]
const secret = /hun|ter2|admin/

const withRows = async () => {
  const database = onDatabase()
  await database.sessions("add", "other", "http://h")
  for (const [index, url] of urls.entries())
    database.sql(
      "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) " +
        `VALUES ('s${index}', '${url}', 'active')`,
    )
  return database
}

describe("a password in a URL that is mistyped", () => {
  it("is shown by no command", async () => {
    const { sessions } = await withRows()
    for (const { stdout, stderr } of [await sessions("list"), await sessions("list", "--json")]) {
      expect(stdout.match(/\*\*\*@/g)).toHaveLength(urls.length)
      expect(stdout + stderr).not.toMatch(secret)
    }
    for (const words of [
      ["show", "s0"],
      ["show", "s1", "--json"],
      ["set", "s2", "--status", "paused"],
    ]) {
      const { code, stdout, stderr } = await sessions(...words)
      expect(code).toBe(0)
      expect(stdout + stderr).not.toMatch(secret)
    }
  }, 30_000)

  it("is not shown by what refuses the URL, which says what to do", async () => {
    const { sessions, feed } = await withRows()
    const refused = await feed(
      JSON.stringify(urls.slice(0, -1).map((url, id) => ({ id: `${id}`, url }))),
      "import",
      "-",
    )
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("***@")
    expect(refused.stdout + refused.stderr).not.toMatch(secret)
    for (const [words, said] of [
      [["add", "x", "http:/admin:hunter2@h"], "its scheme is misspelt; write http:// or https:// before the host"],
      [["add", "x", ' "http://admin:hunter2@h"'], "it has a quotation mark before or after it; remove that"],
      [["set", "other", "--url", '"http://admin:hunter2@h"'], "it has a quotation mark before or after it"],
      [["add", "x", "http://***@h"], "its user name and password were left out where it was shown"],
      [["set", "other", "--url", "***@h"], "its user name and password were left out where it was shown"],
      [["add", "http://admin:hunter2@h", "x"], "the id before the URL"],
      [["add", "x", "y", "http://admin:hunter2@h"], 'unexpected argument "http://***@h"'],
      [["http://admin:hunter2@h"], '"http://***@h" is not a command'],
    ] as const) {
      const { code, stdout, stderr } = await sessions(...words)
      expect(code).not.toBe(0)
      expect(stderr).toContain(said)
      expect(stdout + stderr).not.toMatch(secret)
    }
  }, 30_000)

  it("is shown neither by the log nor to clients", async () => {
    const { folder } = await withRows()
    const words = ["run", "--host", "127.0.0.1", "--port", "0", "--access-log", "--log-level", "trace"]
    const proxy = start([...words, "-d", join(folder, "sessions.db")])
    onTestFinished(() => void proxy.kill("SIGKILL"))
    let said = ""
    proxy.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    while (!/ port=\d+/.test(said)) await once(proxy.stderr, "data")
    const port = / port=(\d+)/.exec(said)?.[1]
    for (const index of urls.keys()) {
      const asked = request(`http://127.0.0.1:${port}/s${index}/`, { agent: false }).end()
      const [response] = await once(asked, "response")
      expect(response.statusCode).toBe(502)
      let body = JSON.stringify(response.rawHeaders)
      for await (const chunk of response) body += chunk
      expect(body).not.toMatch(secret)
    }
    proxy.kill("SIGTERM")
    await once(proxy, "close")
    expect(said.match(/ status=502 /g)?.length).toBeGreaterThanOrEqual(urls.length)
    expect(said).not.toMatch(secret)
  }, 30_000)

  it("is kept where it is asked for: export brings it back whole", async () => {
    const { sessions } = await withRows()
    expect(json(await sessions("export"))).toMatchObject(
      expect.arrayContaining(urls.map((url) => expect.objectContaining({ url }))),
    )
  })
})
