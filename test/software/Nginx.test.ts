import { assert, it } from "@effect/vitest"
import { Effect, Schedule, type Scope } from "effect"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { request } from "undici"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { NotSeen } from "../support/Changes.js"
import { unusedPort } from "../support/Listening.js"
import { Arrived, longBody } from "../support/LongBody.js"
import { startProxy } from "../support/TestProxy.js"
import { startTool } from "../support/Tool.js"

const bytes = 32 * 1024 * 1024
const text = "the same again and again\n".repeat(1_000)

/**
 * Without `gzip_proxied`, nginx packs nothing for a request that has a Via field (RFC 9110 section 7.6.3).
 * `$connection` and `$connection_requests` tell which connection a request came on, and as which on it.
 */
const config = (folder: string, port: number): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  client_max_body_size 1m;
  keepalive_requests 3;
  gzip on;
  gzip_proxied any;
  gzip_types text/plain application/octet-stream;
  server {
    listen 127.0.0.1:${port};
    root ${folder}/root;
    location = /connection { return 200 "$connection $connection_requests"; }
    location = /usual.txt { gzip_proxied off; alias ${folder}/root/file.txt; }
    location = /empty { return 204; }
    location = /moved { return 301 /file.txt; }
    location = /silent { return 444; }
    location /dav/ { dav_methods PUT MOVE; create_full_put_path on; }
    location = /fields { add_header Set-Cookie a=1; add_header Set-Cookie b=2; return 200 "$host $http_x_forwarded_prefix"; }
  }
}
`

/** A port may be taken by somebody else between its choice and nginx: then another one is tried. */
const startNginx: Effect.Effect<string, NotSeen, Scope.Scope> = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const port = yield* unusedPort
  const file = (name: string) => join(folder, name)
  mkdirSync(file("root/dir"), { recursive: true })
  writeFileSync(file("nginx.conf"), config(folder, port))
  writeFileSync(join(folder, "root", "file.txt"), text)
  writeFileSync(join(folder, "root", "big.bin"), Buffer.concat([...longBody(bytes)]))
  const child = yield* startTool("nginx", ["-p", folder, "-c", file("nginx.conf"), "-e", file("error.log")])
  const url = `http://127.0.0.1:${port}`
  const answers = Effect.tryPromise(() => fetch(`${url}/empty`))
  yield* Effect.retry(answers, { while: () => child.exitCode === null, schedule: Schedule.spaced(20) }).pipe(
    Effect.filterOrFail(() => child.exitCode === null),
    Effect.mapError(() => new NotSeen({ message: `nginx did not start: ${readFileSync(file("error.log"), "utf8")}` })),
  )
  return url
}).pipe(Effect.retry({ times: 3 }))

const labWith = (settings: Partial<ProxySettings>) =>
  Effect.gen(function* () {
    const url = yield* startNginx
    const proxy = yield* startProxy({ sessions: { app: `${url}/` }, settings })
    // undici's `request` shows an answer as it came: it neither unpacks nor follows.
    const ask = (
      path: string,
      headers: Record<string, string> = {},
      method: "GET" | "HEAD" | "POST" = "GET",
      body?: Buffer,
    ) =>
      Effect.promise(async () => {
        const answer = await request(`${proxy.url}/app${path}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body }),
        })
        return {
          status: answer.statusCode,
          headers: answer.headers,
          body: Buffer.from(await answer.body.arrayBuffer()),
        }
      })
    return { ask, proxy }
  })

const lab = labWith({})

describeUnless(lacking("nginx"))("nginx", () => {
  it.scopedLive("serves a file: whole, packed, in part, by HEAD, not modified", () =>
    Effect.gen(function* () {
      const { ask } = yield* lab
      const plain = yield* ask("/file.txt")
      assert.strictEqual(plain.body.toString(), text)
      assert.strictEqual(plain.headers["content-length"], String(text.length))
      const packed = yield* ask("/file.txt", { "Accept-Encoding": "gzip" })
      assert.strictEqual(packed.headers["content-encoding"], "gzip")
      assert.strictEqual(gunzipSync(packed.body).toString(), text)
      const part = yield* ask("/file.txt", { Range: "bytes=25-49" })
      assert.deepStrictEqual([part.status, part.body.toString()], [206, text.slice(25, 50)])
      assert.strictEqual(part.headers["content-range"], `bytes 25-49/${text.length}`)
      const parts = yield* ask("/file.txt", { Range: "bytes=0-3,10-13" })
      assert.match(String(parts.headers["content-type"]), /^multipart\/byteranges/)
      assert.strictEqual((yield* ask("/file.txt", { Range: "bytes=99999999-" })).status, 416)
      const head = yield* ask("/file.txt", {}, "HEAD")
      assert.deepInclude(head.headers, { "content-length": String(text.length) })
      const unchanged = yield* ask("/file.txt", { "If-None-Match": String(plain.headers["etag"]) })
      assert.deepStrictEqual(
        [unchanged.status, unchanged.body.length, unchanged.headers["etag"]],
        [304, 0, plain.headers["etag"]],
      )
    }),
  )

  it.scopedLive(
    "packs nothing for a request with Via, as it is set up by default, and packs for a session without",
    () =>
      Effect.gen(function* () {
        const { ask, proxy } = yield* lab
        const packing = Effect.map(
          ask("/usual.txt", { "Accept-Encoding": "gzip", Via: "1.1 fred" }),
          ({ headers }) => headers["content-encoding"],
        )
        assert.isUndefined(yield* packing)
        yield* proxy.repo.set("app", { policy: { via: "off" } })
        yield* Effect.sleep(10)
        assert.strictEqual(yield* packing, "gzip")
      }),
  )

  it.scopedLive("serves a big file byte for byte, packed too", () =>
    Effect.gen(function* () {
      const { ask } = yield* lab
      const plain = new Arrived()
      plain.take((yield* ask("/big.bin")).body)
      assert.deepInclude(plain, { bytes, isIntact: true })
      const packed = new Arrived()
      packed.take(gunzipSync((yield* ask("/big.bin", { "Accept-Encoding": "gzip" })).body))
      assert.deepInclude(packed, { bytes, isIntact: true })
    }),
  )

  it.scopedLive("answers requests one after another on one connection, until it closes that", () =>
    Effect.gen(function* () {
      const { ask } = yield* lab
      const seen: Array<string> = []
      for (let count = 0; count < 7; count++) seen.push((yield* ask("/connection")).body.toString())
      const [connections, requests] = [0, 1].map((index) => seen.map((line) => line.split(" ")[index]))
      assert.deepStrictEqual(requests, ["1", "2", "3", "1", "2", "3", "1"])
      assert.strictEqual(new Set(connections).size, 3)
    }),
  )

  it.scopedLive("answers with and without content, redirects, its own errors, repeated fields", () =>
    Effect.gen(function* () {
      const { ask } = yield* lab
      const empty = yield* ask("/empty")
      assert.deepStrictEqual([empty.status, empty.body.length], [204, 0])
      const moved = yield* ask("/moved")
      assert.deepStrictEqual([moved.status, new URL(String(moved.headers["location"])).pathname], [301, "/file.txt"])
      const missing = yield* ask("/missing")
      assert.strictEqual(missing.status, 404)
      assert.include(missing.body.toString(), "nginx")
      const fields = yield* ask("/fields")
      assert.deepStrictEqual(fields.headers["set-cookie"], ["a=1", "b=2"])
      assert.strictEqual(fields.body.toString(), "127.0.0.1 /app")
    }),
  )

  it.scopedLive("redirects by its own address, and comes back under the session's path with location=rewrite", () =>
    Effect.gen(function* () {
      const { ask } = yield* labWith({ location: "rewrite" })
      assert.strictEqual((yield* ask("/moved")).headers["location"], "/app/file.txt")
      assert.strictEqual((yield* ask("/dir?q=1")).headers["location"], "/app/dir/?q=1")
    }),
  )

  it.scopedLive("moves a file to where the client says, by WebDAV, which names the proxy, with location=rewrite", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* labWith({ location: "rewrite" })
      const dav = (method: string, path: string, init: RequestInit = {}) =>
        Effect.promise(async () => (await fetch(`${proxy.url}/app/dav${path}`, { method, ...init })).status)
      assert.strictEqual(yield* dav("PUT", "/a", { body: "text" }), 201)
      assert.strictEqual(yield* dav("MOVE", "/a", { headers: { Destination: `${proxy.url}/app/dav/b` } }), 204)
      assert.strictEqual((yield* ask("/dav/b")).body.toString(), "text")
      assert.strictEqual((yield* ask("/dav/a")).status, 404)
    }),
  )

  it.scopedLive("hangs up without an answer: that is 502", () =>
    Effect.gen(function* () {
      const { ask } = yield* lab
      const silent = yield* ask("/silent")
      assert.strictEqual(silent.status, 502)
      assert.include(silent.body.toString(), "downstream_reset")
      assert.strictEqual((yield* ask("/empty")).status, 204)
    }),
  )

  it.scopedLive("refuses an upload that is too long before it was sent, and that answer arrives", () =>
    Effect.gen(function* () {
      const { ask } = yield* lab
      const refused = yield* ask("/file.txt", {}, "POST", Buffer.alloc(2 * 1024 * 1024))
      assert.strictEqual(refused.status, 413)
      assert.include(refused.body.toString(), "nginx")
    }),
  )
})
