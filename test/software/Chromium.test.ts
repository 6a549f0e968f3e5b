import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { randomBytes } from "node:crypto"
import type { RequestListener } from "node:http"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { Chromium, chromiumProgram } from "../support/Chromium.js"
import { answer } from "../support/HttpText.js"
import { describeUnless } from "../support/LeftOut.js"
import { startProxy } from "../support/TestProxy.js"
import { WsOrigin } from "../support/WsOrigin.js"

/** One browser for all pages of these tests. */
class Browser extends Context.Tag("test/Browser")<Browser, Chromium>() {
  static readonly layer = Layer.scoped(Browser, Chromium.start(chromiumProgram ?? "chromium"))
}

/**
 * The page's script: a socket notes all that happens to it. Bytes are noted by their number and their sum, and sent back
 * where they are many.
 */
const script = `
const at = (path) => {
  const url = new URL(path, location.href)
  url.protocol = "ws:"
  return url
}
const connect = (path, protocols = []) => {
  const socket = new WebSocket(at(path), protocols)
  socket.binaryType = "arraybuffer"
  const story = []
  const waiting = new Set()
  const note = (line) => {
    story.push(line)
    for (const look of waiting) look()
  }
  socket.onopen = () => note("open")
  socket.onerror = () => note("error")
  socket.onclose = ({ code, reason, wasClean }) => note(("close " + code + " " + reason).trim() + (wasClean ? "" : ", not clean"))
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") return note("text " + (data.length > 100 ? data.length : data))
    const bytes = new Uint8Array(data)
    note("bytes " + bytes.length + " " + bytes.reduce((sum, byte) => (sum * 31 + byte) % 65521, 0))
    if (bytes.length > 100) socket.send(data)
  }
  const until = (count) => new Promise((resolve) => {
    const look = () => {
      if (story.length < count) return
      waiting.delete(look)
      resolve(story)
    }
    waiting.add(look)
    look()
  })
  return { socket, until }
}
const relative = connect("socket?room=a%20b", ["chat.v1", "chat.v2"])
const routed = connect("/ws/app")
`

const servePage: RequestListener = (_, response) => {
  response.setHeader("Content-Type", "text/html; charset=utf-8")
  response.setHeader("Set-Cookie", "visit=1; Path=/app/; HttpOnly")
  response.end(`<!doctype html><title>page</title><script>${script}</script>`)
}

/** A page with cookies and storage of its own, whose links begin at the root as those of an app that knows no prefix do. */
const serveApp: RequestListener = ({ headers, url }, response) => {
  if (url === "/cookies") return void response.end(headers.cookie ?? "none")
  if (url === "/app.js") return void response.end("globalThis.loaded = true")
  response.setHeader("Content-Type", "text/html; charset=utf-8")
  response.setHeader("Set-Cookie", ["visible=1; Path=/", "hidden=1; Path=/; HttpOnly"])
  response.end('<!doctype html><title>app</title><script src="/app.js"></script>')
}

const tryToRead = (url: string): string =>
  `fetch(${JSON.stringify(url)}, { credentials: "include" }).then((answer) => answer.text(), () => "refused")`

const sumOf = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => (sum * 31 + byte) % 65_521, 0)

/** A page that was fetched through the proxy, and both WebSockets that its script opens. */
const lab = (settings: Partial<ProxySettings> = {}) =>
  Effect.gen(function* () {
    const origin = yield* WsOrigin.start({
      listener: servePage,
      perMessageDeflate: { threshold: 0 },
      handleProtocols: (offered) => [...offered].at(-1) ?? false,
      refuse: ({ url }) => (url === "/refused" ? answer("403 Forbidden", "not you") : undefined),
    })
    const proxy = yield* startProxy({ sessions: { app: origin.url }, settings })
    const page = yield* Effect.flatMap(Browser, (browser) => browser.open(`${proxy.url}/app/`))
    const both = [yield* origin.connection(0), yield* origin.connection(1)]
    const server = (target: string) => {
      const found = both.find(({ handshake }) => handshake.url === target)
      return found === undefined ? Effect.dieMessage(`no WebSocket for ${target}`) : Effect.succeed(found)
    }
    return { origin, proxy, page, relative: yield* server("/socket?room=a%20b"), routed: yield* server("/app") }
  })

describeUnless(chromiumProgram === undefined ? "Chromium is not installed" : undefined)("a page in Chromium", () => {
  layer(Browser.layer, { timeout: 20_000, excludeTestServices: true })((it) => {
    it.scoped("opens a WebSocket beside itself and one on the WebSocket route, with its cookie and its origin", () =>
      Effect.gen(function* () {
        const { proxy, page, relative, routed } = yield* lab()
        assert.deepStrictEqual(yield* page.evaluate("relative.until(1)"), ["open"])
        assert.deepStrictEqual(yield* page.evaluate("routed.until(1)"), ["open"])
        const { headers } = relative.handshake
        assert.deepInclude(headers, { cookie: "visit=1", origin: proxy.url, "x-forwarded-prefix": "/app" })
        assert.deepInclude(routed.handshake.headers, { origin: proxy.url })
        // The path of the cookie does not cover the other route.
        assert.isUndefined(routed.handshake.headers.cookie)
        assert.strictEqual(headers["sec-websocket-protocol"], "chat.v1, chat.v2")
        assert.strictEqual(yield* page.evaluate("relative.socket.protocol"), "chat.v2")
        assert.strictEqual(yield* page.evaluate("routed.socket.protocol"), "")
      }),
    )

    it.scoped("exchanges text and bytes, small and large", () =>
      Effect.gen(function* () {
        const { page, relative, routed } = yield* lab()
        const bytes = randomBytes(3 * 1024 * 1024)
        for (const [name, { peer }] of Object.entries({ relative, routed })) {
          yield* page.evaluate(`${name}.until(1)`)
          yield* page.evaluate(`${name}.socket.send("grüße 🚀"), ${name}.socket.send(new Uint8Array([0, 1, 255]))`)
          assert.strictEqual(yield* peer.message, "grüße 🚀")
          assert.deepStrictEqual(yield* peer.message, Buffer.from([0, 1, 255]))
          peer.socket.send("und zurück 🚀")
          peer.socket.send(bytes)
          assert.isTrue(bytes.equals(Buffer.from(yield* peer.message)))
          const expected = ["open", "text und zurück 🚀", `bytes ${bytes.length} ${sumOf(bytes)}`]
          assert.deepStrictEqual(yield* page.evaluate(`${name}.until(3)`), expected)
        }
      }),
    )

    it.scoped("agrees with the server on permessage-deflate, and what travels is compressed", () =>
      Effect.gen(function* () {
        const { page, routed } = yield* lab()
        const { peer, handshake } = routed
        yield* page.evaluate("routed.until(1)")
        assert.match(String(yield* page.evaluate("routed.socket.extensions")), /^permessage-deflate/)
        assert.match(peer.socket.extensions, /^permessage-deflate/)
        yield* page.evaluate('routed.socket.send("again and again, ".repeat(100000))')
        assert.strictEqual(yield* peer.message, "again and again, ".repeat(100_000))
        peer.socket.send("and back again, ".repeat(100_000))
        assert.deepStrictEqual(yield* page.evaluate("routed.until(2)"), ["open", "text 1600000"])
        assert.isBelow(handshake.socket.bytesRead, 50_000)
        assert.isBelow(handshake.socket.bytesWritten, 50_000)
      }),
    )

    it.scoped("sees the server's close code and reason, and the server those of the page", () =>
      Effect.gen(function* () {
        const { page, relative, routed } = yield* lab()
        relative.peer.socket.close(4_321, "genug für heute")
        assert.deepStrictEqual(yield* page.evaluate("relative.until(2)"), ["open", "close 4321 genug für heute"])
        yield* page.evaluate('routed.socket.close(3001, "that is all")')
        assert.deepStrictEqual(yield* routed.peer.closed, { code: 3_001, reason: "that is all" })
        assert.deepStrictEqual(yield* page.evaluate("routed.until(2)"), ["open", "close 3001 that is all"])
      }),
    )

    it.scoped("sees an error and never an open socket where the handshake is refused", () =>
      Effect.gen(function* () {
        const { page } = yield* lab()
        for (const path of ["refused", "/ws/nobody", "/nobody/socket"]) {
          const story = yield* page.evaluate(`connect("${path}").until(2)`)
          assert.deepStrictEqual(story, ["error", "close 1006, not clean"], path)
        }
      }),
    )

    it.scoped("sees 1001 when its session is removed, and 1012 when it has moved", () =>
      Effect.gen(function* () {
        const { origin, proxy, page } = yield* lab()
        yield* proxy.repo.add({ id: "other", url: origin.url, status: "active" })
        yield* page.evaluate('globalThis.other = connect("/ws/other"), other.until(1)')
        yield* proxy.repo.remove("app")
        for (const name of ["relative", "routed"])
          assert.deepStrictEqual(yield* page.evaluate(`${name}.until(2)`), [
            "open",
            "close 1001 the session was removed",
          ])
        yield* proxy.repo.set("other", { url: "http://127.0.0.1:9" })
        const moved = "close 1012 the session moved to another server"
        assert.deepStrictEqual(yield* page.evaluate("other.until(2)"), ["open", moved])
      }),
    )

    it.scoped("sees 1011 when its server is lost", () =>
      Effect.gen(function* () {
        const { page, relative } = yield* lab()
        relative.peer.socket.terminate()
        assert.deepStrictEqual(yield* page.evaluate("relative.until(2)"), ["open", "close 1011 the server was lost"])
      }),
    )

    it.scoped("answers pings, those of its server and those of the proxy, and its script notices nothing", () =>
      Effect.gen(function* () {
        const { page, relative, routed } = yield* lab({ wsPing: 800 })
        relative.peer.socket.ping("from the server")
        yield* relative.peer.until("the pong", () => relative.peer.pongs.length > 0)
        yield* routed.peer.until("a ping of the proxy", () => routed.peer.pings.length > 0)
        // Whoever had not answered would have been dropped by the end of this.
        yield* Effect.sleep(1_000)
        assert.deepStrictEqual([relative.peer.pongs, routed.peer.pongs], [["from the server"], []])
        for (const name of ["relative", "routed"])
          assert.deepStrictEqual(yield* page.evaluate(`${name}.until(1)`), ["open"])
      }),
    )

    it.scoped(
      "of a session's own name sees nothing of another session's, neither cookies nor storage, pages nor answers",
      () =>
        Effect.gen(function* () {
          const origin = yield* WsOrigin.start({ listener: serveApp })
          const proxy = yield* startProxy({
            sessions: { alice: origin.url, bob: origin.url },
            settings: { sessionHosts: ["localhost"] },
          })
          const at = (id: string) => `http://${id}.localhost:${proxy.port}`
          const browser = yield* Browser
          const alice = yield* browser.open(`${at("alice")}/`)
          assert.strictEqual(yield* alice.evaluate("loaded"), true)
          assert.strictEqual(yield* alice.evaluate("document.cookie"), "visible=1")
          yield* alice.evaluate('localStorage.setItem("secret", "1")')
          const bob = yield* browser.open(`${at("bob")}/other`)
          assert.strictEqual(yield* bob.evaluate('document.cookie = "of=bob"; localStorage.getItem("secret")'), null)
          assert.strictEqual(yield* bob.evaluate(tryToRead(`${at("alice")}/cookies`)), "refused")
          assert.strictEqual(yield* alice.evaluate(tryToRead("/cookies")), "visible=1; hidden=1")
          assert.strictEqual(yield* bob.evaluate(tryToRead("/cookies")), "visible=1; hidden=1; of=bob")
          const frame = `new Promise((resolve) => {
          const frame = document.createElement("iframe")
          frame.src = "${at("alice")}/"
          frame.onload = () => {
            try { resolve(frame.contentWindow.document.cookie) } catch (error) { resolve(error.name) }
          }
          document.body.append(frame)
        })`
          assert.strictEqual(yield* bob.evaluate(frame), "SecurityError")
        }),
    )

    it.scoped("of a session's own name opens WebSockets at its root, with that origin and its cookies", () =>
      Effect.gen(function* () {
        const origin = yield* WsOrigin.start({ listener: serveApp })
        const proxy = yield* startProxy({ sessions: { alice: origin.url }, settings: { sessionHosts: ["localhost"] } })
        const own = `alice.localhost:${proxy.port}`
        const page = yield* Effect.flatMap(Browser, (browser) => browser.open(`http://${own}/`))
        yield* page.evaluate(`globalThis.socket = new WebSocket("ws://${own}/socket"), new Promise((done) => socket.onopen = done)
          .then(() => "open")`)
        const { handshake } = yield* origin.connection()
        assert.strictEqual(handshake.url, "/socket")
        assert.deepInclude(handshake.headers, { host: own, origin: `http://${own}`, cookie: "visible=1; hidden=1" })
      }),
    )
  })
})
