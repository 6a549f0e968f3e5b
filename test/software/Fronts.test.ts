import { assert, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { writeFileSync } from "node:fs"
import { request } from "node:https"
import { join } from "node:path"
import { blocksOf } from "../docs/Blocks.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { Authority, type Identity } from "../support/Certificates.js"
import { NotSeen } from "../support/Changes.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { unusedPort } from "../support/Listening.js"
import { startProxy } from "../support/TestProxy.js"
import { startTool } from "../support/Tool.js"
import { WsOrigin } from "../support/WsOrigin.js"
import { openWs } from "../support/WsPeer.js"

/** A configuration of the document, with the ports and the files of this test. */
const shown = (language: string, proxyPort: number, { certFile, keyFile }: Identity): string =>
  (blocksOf("docs/ROUTING.md").find((block) => block.language === language)?.text ?? "")
    .replaceAll("127.0.0.1:8080", `127.0.0.1:${proxyPort}`)
    .replaceAll("/etc/ss-proxy/apps.pem", certFile)
    .replaceAll("/etc/ss-proxy/apps.key", keyFile)

interface Front {
  readonly folder: string
  readonly port: number
  readonly proxyPort: number
  readonly identity: Identity
}

const nginx = ({ folder, identity, port, proxyPort }: Front) => {
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  const block = shown("nginx", proxyPort, identity).replace("listen 443 ssl", `listen 127.0.0.1:${port} ssl`)
  const process = `daemon off; master_process off; pid ${folder}/nginx.pid; events {}`
  writeFileSync(join(folder, "nginx.conf"), `${process}\nhttp { access_log off; ${places.join(" ")}\n${block}\n}\n`)
  return startTool("nginx", ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")])
}

const caddy = ({ folder, identity, port, proxyPort }: Front) => {
  const [, sites = "", rest = ""] = /^(.*?)( \{[^]*)$/.exec(shown("caddyfile", proxyPort, identity)) ?? []
  const addresses = sites.split(", ").map((site) => `https://${site}:${port}`)
  const file = join(folder, "Caddyfile")
  writeFileSync(file, `{\n\tadmin off\n\tauto_https disable_redirects\n}\n${addresses.join(", ")}${rest}`)
  return startTool("caddy", ["run", "--config", file, "--adapter", "caddyfile"], { cwd: folder })
}

/** Asks the proxy behind such a front, as a browser would that has looked the name up. */
const ask = (port: number, ca: string, host: string, path: string): Effect.Effect<string, NotSeen> =>
  Effect.async((resume) => {
    const sent = request({ port, host: "127.0.0.1", servername: host, ca, path, headers: { Host: host }, agent: false })
    sent.once("error", ({ message }) => resume(new NotSeen({ message })))
    sent.once("response", (answer) => {
      let text = `${answer.statusCode} `
      answer.setEncoding("utf8").on("data", (piece: string) => (text += piece))
      answer.once("end", () => resume(Effect.succeed(text)))
    })
    sent.end()
  })

const startFront = (start: (front: Front) => ReturnType<typeof startTool>) =>
  Effect.gen(function* () {
    const authority = yield* Authority.make()
    const identity = yield* authority.issue({ names: "DNS:apps.example.com,DNS:*.apps.example.com" })
    const origin = yield* WsOrigin.start({
      listener: ({ headers, url }, response) => {
        const prefix = String(headers["x-forwarded-prefix"])
        response.end([url, headers.host, headers["x-forwarded-proto"], prefix].join(" "))
      },
    })
    const proxy = yield* startProxy({
      sessions: { alice: origin.url, bob: `${origin.url}/of-bob` },
      settings: { sessionHosts: ["apps.example.com"], trustedProxies: ["127.0.0.1"] },
    })
    const port = yield* unusedPort
    const folder = yield* temporaryFolder
    const child = yield* start({ folder, port, proxyPort: proxy.port, identity })
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    const get = (host: string, path: string) => ask(port, authority.cert, host, path)
    yield* Effect.retry(get("apps.example.com", "/health"), {
      while: () => child.exitCode === null,
      schedule: Schedule.spaced(50),
    }).pipe(Effect.mapError(({ message }) => new NotSeen({ message: `${message}: ${said}` })))
    return { authority, get, origin, port }
  })

for (const [name, start] of [
  ["nginx", nginx],
  ["caddy", caddy],
] as const) {
  describeUnless(lacking("openssl") ?? lacking(name))(`${name} in front, as the documents configure it`, () => {
    it.scopedLive("ends TLS for all names, and each leads to its own session", () =>
      Effect.gen(function* () {
        const { authority, get, origin, port } = yield* startFront(start)
        const own = "alice.apps.example.com"
        assert.strictEqual(yield* get(own, "/bob/a%2Fb//x?q"), `200 /bob/a%2Fb//x?q ${own} https undefined`)
        assert.strictEqual(yield* get("bob.apps.example.com", "/"), "200 /of-bob/ bob.apps.example.com https undefined")
        assert.match(yield* get("apps.example.com", "/bob/x"), /^200 \/of-bob\/x 127\.0\.0\.1:\d+ https \/bob$/)
        assert.match(yield* get("nobody.apps.example.com", "/alice/"), /^404 .*session_not_found/)
        const named = { ca: authority.cert, servername: own, headers: { Host: own } }
        const peer = yield* openWs(`wss://127.0.0.1:${port}/socket`, named)
        peer.socket.send("one")
        assert.strictEqual(yield* (yield* origin.connection()).peer.message, "one")
        peer.socket.close(1000)
        yield* peer.closed
      }),
    )
  })
}
