import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { Changes } from "../support/Changes.js"
import { Arrived, longBody } from "../support/LongBody.js"
import { startProxy } from "../support/TestProxy.js"
import { startTool } from "../support/Tool.js"

const bytes = 32 * 1024 * 1024

/** Writes what was asked for, and nothing that tells where it ends but the end of the connection. */
const script = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s %s\\n' "$REQUEST_METHOD" "$QUERY_STRING"
head -c "\${CONTENT_LENGTH:-0}"
head -c 200000 /dev/zero | tr '\\000' x
printf end
`

/** Ends the lines of its head as a shell does, with a line feed alone, and has one that is folded and one that is no field. */
const oldScript = `#!/bin/sh
echo "Content-Type: text/plain"
echo "X-Old: one"
echo "  two"
echo "a warning of the shell"
echo
echo "old but well"
`

/** `python3 -m http.server` behind a proxy, on a folder with a few files. */
const lab = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    // Started by root, python runs the program as nobody.
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, "cgi-bin"))
    writeFileSync(join(folder, "cgi-bin", "echo"), script, { mode: 0o755 })
    writeFileSync(join(folder, "cgi-bin", "old"), oldScript, { mode: 0o755 })
    writeFileSync(join(folder, "big.bin"), Buffer.concat([...longBody(bytes)]))
    writeFileSync(join(folder, "a file.txt"), "with a space in its name\n")
    const command = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder, ...args]
    // The CGI server looks for its scripts where it was started.
    const child = yield* startTool("python3", command, { cwd: folder })
    const changes = new Changes()
    let said = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text
      changes.announce()
    })
    child.stderr.resume()
    const port = () => / port (\d+)/.exec(said)?.[1]
    yield* changes.until(
      "python to listen",
      () => port() !== undefined,
      () => said,
    )
    const proxy = yield* startProxy({ sessions: { files: `http://127.0.0.1:${port()}` } })
    const get = (path: string, init: RequestInit = {}) => Effect.promise(() => fetch(`${proxy.url}/files${path}`, init))
    return { get, proxy }
  })

const textOf = (response: Response) => Effect.promise(() => response.text())

describeUnless(lacking("python3"))("python3 -m http.server", () => {
  for (const protocol of ["HTTP/1.0", "HTTP/1.1"])
    it.scopedLive(`serves files by ${protocol}: small, big, by HEAD, not modified, not there, in a folder`, () =>
      Effect.gen(function* () {
        const { get } = yield* lab("--protocol", protocol)
        const small = yield* get("/a%20file.txt")
        assert.strictEqual(yield* textOf(small), "with a space in its name\n")
        const since = { "If-Modified-Since": small.headers.get("last-modified") ?? "" }
        const unchanged = yield* get("/a%20file.txt", { headers: since })
        assert.deepStrictEqual([unchanged.status, yield* textOf(unchanged)], [304, ""])
        const head = yield* get("/big.bin", { method: "HEAD" })
        assert.deepStrictEqual([head.status, head.headers.get("content-length")], [200, String(bytes)])
        const big = yield* get("/big.bin")
        const arrived = new Arrived()
        arrived.take(new Uint8Array(yield* Effect.promise(() => big.arrayBuffer())))
        assert.deepInclude(arrived, { bytes, isIntact: true })
        assert.strictEqual((yield* get("/nothing")).status, 404)
        const listing = yield* textOf(yield* get("/"))
        assert.include(listing, "a%20file.txt")
      }),
    )

  it.scopedLive("runs a CGI program that ends its lines with line feeds, of a session that is taken leniently", () =>
    Effect.gen(function* () {
      const { get, proxy } = yield* lab("--cgi")
      assert.strictEqual((yield* get("/cgi-bin/old")).status, 502)
      yield* proxy.repo.set("files", { policy: { lenient: "on" } })
      yield* Effect.sleep(10)
      const response = yield* get("/cgi-bin/old")
      assert.deepStrictEqual([response.status, response.headers.get("x-old")], [200, "one two"])
      assert.strictEqual(yield* textOf(response), "old but well\n")
    }),
  )

  it.scopedLive("serves a folder without its slash by a redirect, which is passed on", () =>
    Effect.gen(function* () {
      const { get } = yield* lab()
      const response = yield* get("/cgi-bin", { redirect: "manual" })
      assert.deepStrictEqual([response.status, response.headers.get("location")], [301, "/cgi-bin/"])
    }),
  )

  it.scopedLive("answers from a program, with an end that only the connection tells", () =>
    Effect.gen(function* () {
      const { get } = yield* lab("--cgi")
      const asked = yield* get("/cgi-bin/echo?a=%20b")
      assert.isNull(asked.headers.get("content-length"))
      assert.strictEqual(yield* textOf(asked), `GET a=%20b\n${"x".repeat(200_000)}end`)
      const told = yield* get("/cgi-bin/echo", { method: "POST", body: "posted" })
      assert.strictEqual(yield* textOf(told), `POST \nposted${"x".repeat(200_000)}end`)
    }),
  )

  it.scopedLive("answers many at once, each on a connection of its own", () =>
    Effect.gen(function* () {
      const { get } = yield* lab()
      const texts = yield* Effect.forEach(
        Array.from({ length: 60 }),
        () => Effect.flatMap(get("/a%20file.txt"), textOf),
        {
          concurrency: 20,
        },
      )
      assert.deepStrictEqual([...new Set(texts)], ["with a space in its name\n"])
    }),
  )
})
