import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Agent, request } from "undici"
import { Authority } from "../support/Certificates.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { openWs } from "../support/WsPeer.js"
import { Reader } from "./Recipe.js"

/** Where the session `demo` is: the prefix of its paths, by host. */
const roots = { "proxy.example.com": "/demo", "demo.apps.example.com": "" }

/** Certificates where the file of a recipe looks for them, and names that curl finds here. */
const certify = (reader: Reader, file: string, authority: Authority) =>
  Effect.gen(function* () {
    const { cert, key } = yield* authority.issue({ names: "DNS:proxy.example.com,DNS:*.apps.example.com" })
    const at = (name: string) => join(reader.folder, name)
    writeFileSync(at("example.com.pem"), cert)
    writeFileSync(at("example.com.key"), key)
    writeFileSync(at("example.com.both.pem"), `${cert}${key}`)
    writeFileSync(at("authority.pem"), authority.cert)
    writeFileSync(at(file), readFileSync(at(file), "utf8").replaceAll("/etc/ssl", reader.folder))
    const found = Object.keys(roots).map((name) => `connect-to = ${name}:443:127.0.0.1:${reader.port("443")}\n`)
    writeFileSync(at(".curlrc"), [`cacert = ${at("authority.pem")}\n`, ...found].join(""))
  })

/** All that nginx needs besides the file of the recipe, as who has no rights. */
const nginxConfig = (folder: string) => `
daemon off;
pid nginx.pid;
error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n  ")}
  include ss-proxy.conf;
}
`

const caddyConfig = (port: number) => `
{
  admin off
  https_port ${port}
  auto_https disable_redirects
}
import ss-proxy.caddy
`

interface Front {
  readonly program: string
  readonly section: string
  /** The file of the recipe. */
  readonly file: string
  /** What includes it, where it is not whole. */
  readonly config?: (reader: Reader) => readonly [name: string, text: string]
  readonly command: string
}

const fronts: ReadonlyArray<Front> = [
  {
    program: "nginx",
    section: "nginx in front",
    file: "ss-proxy.conf",
    config: (reader) => ["nginx.conf", nginxConfig(reader.folder)],
    command: 'nginx -p "$PWD" -c nginx.conf -e stderr',
  },
  {
    program: "caddy",
    section: "Caddy in front",
    file: "ss-proxy.caddy",
    config: (reader) => ["Caddyfile", caddyConfig(reader.port("443"))],
    command: "caddy run --config Caddyfile --adapter caddyfile",
  },
  { program: "haproxy", section: "HAProxy in front", file: "haproxy.cfg", command: "haproxy -db -f haproxy.cfg" },
]

/** Follows a recipe with that program in front. */
const inFront = ({ section, file, config, command }: Front) =>
  Effect.gen(function* () {
    const authority = yield* Authority.make()
    const reader = yield* Reader.follow([section], (reader) =>
      Effect.gen(function* () {
        yield* certify(reader, file, authority)
        const included = config?.(reader)
        if (included !== undefined) writeFileSync(join(reader.folder, included[0]), included[1])
        yield* reader.leaveRunning(command, ["443"])
      }),
    )
    return { url: `https://127.0.0.1:${reader.port("443")}`, ca: authority.cert }
  })

const Shown = Schema.Struct({ headers: Schema.Record({ key: Schema.String, value: Schema.String }) })

for (const front of fronts)
  describeUnless([front.program, "curl", "openssl"].map(lacking).find(Boolean))(
    `the recipe for ${front.section}`,
    () => {
      it.scopedLive(
        "passes on who the client is, streams, and WebSockets, on a path and on a session's name",
        () =>
          Effect.gen(function* () {
            const { url, ca } = yield* inFront(front)
            const client = new Agent({ localAddress: "127.0.0.2", connect: { ca, servername: "proxy.example.com" } })
            yield* Effect.addFinalizer(() => Effect.promise(() => client.destroy()))
            const lies = { "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Prefix": "/lie" }
            for (const [host, prefix] of Object.entries(roots)) {
              const ask = (path: string) =>
                Effect.promise(() =>
                  request(`${url}${prefix}${path}`, { dispatcher: client, headers: { host, ...lies } }),
                )
              const { headers } = yield* Effect.flatMap(ask("/headers"), ({ body }) =>
                Effect.promise(async () => Schema.decodeUnknownSync(Shown)(await body.json())),
              )
              assert.strictEqual(headers["X-Forwarded-For"], "127.0.0.2, 127.0.0.1")
              assert.strictEqual(headers["X-Forwarded-Host"], host)
              assert.strictEqual(headers["X-Forwarded-Prefix"], prefix === "" ? undefined : prefix)
              // The second event is a minute away: a front that keeps the first one until then fails this.
              const { body } = yield* ask("/sse?count=2&interval=60000")
              let events = ""
              yield* Effect.promise(async () => {
                for await (const piece of body) if ((events += piece).includes("id: 1\n")) break
              })
              assert.include(events, "id: 1\n")
              const options = { ca, servername: host, headers: { Host: host } }
              const socket = yield* openWs(`${url}${prefix}/socket`, options)
              socket.socket.send("hello")
              assert.strictEqual(yield* socket.message, "hello")
            }
          }),
        60_000,
      )
    },
  )
