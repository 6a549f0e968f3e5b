import { assert, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { randomUUID } from "node:crypto"
import { request } from "undici"
import { describeUnless } from "../support/LeftOut.js"
import { openWs, refusedWs, type WsMessage } from "../support/WsPeer.js"
import { lackingPackage, Reader } from "./Recipe.js"

const Kernel = Schema.Struct({ id: Schema.String })

/** What a kernel prints, in the messages of its WebSocket. */
const Printed = Schema.parseJson(
  Schema.Struct({ msg_type: Schema.Literal("stream"), content: Schema.Struct({ text: Schema.String }) }),
)

/** A cell that is to be run. */
const cell = (code: string): string =>
  JSON.stringify({
    channel: "shell",
    header: { msg_id: randomUUID(), msg_type: "execute_request", version: "5.3", session: randomUUID(), username: "" },
    parent_header: {},
    metadata: {},
    content: { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false },
  })

const printed = (messages: ReadonlyArray<WsMessage>): string =>
  messages
    .flatMap((message) =>
      Schema.decodeUnknownEither(Printed)(message).pipe((read) => (read._tag === "Right" ? [read.right] : [])),
    )
    .map(({ content }) => content.text)
    .join("")

/** A browser whose page is at this address, once it has logged in with the token: it has a cookie from then on. */
const login = (reader: Reader, base: string) =>
  Effect.gen(function* () {
    const { host, origin, pathname } = new URL(base)
    // The name may be one that is only found by browsers, or by nobody.
    const at = (path: string) => `http://127.0.0.1:${reader.port("8080")}${pathname}${path}`
    const ask = (path: string, method: "GET" | "POST" | "DELETE" = "GET") =>
      Effect.promise(async () => {
        const answer = await request(at(path), { method, headers: { Host: host, Authorization: "token secret" } })
        const cookies = [answer.headers["set-cookie"] ?? []].flat().map((cookie) => cookie.replace(/;.*/, ""))
        return { status: answer.statusCode, cookies, body: await answer.body.text() }
      })
    const { cookies } = yield* ask("api/status")
    assert.lengthOf(cookies, 1)
    // The token would spare the check of Origin; a WebSocket of a browser cannot carry it.
    return { ask, at, headers: { Host: host, Origin: origin, Cookie: cookies.join("; ") } }
  })

/** Starts a kernel, and runs a cell over its WebSocket as a browser does. Gives the URL of the WebSocket. */
const runCell = (reader: Reader, base: string) =>
  Effect.gen(function* () {
    const { ask, at, headers } = yield* login(reader, base)
    const { status, body } = yield* ask("api/kernels", "POST")
    assert.strictEqual(status, 201, body)
    const { id } = yield* Schema.decode(Schema.parseJson(Kernel))(body)
    yield* Effect.addFinalizer(() => ask(`api/kernels/${id}`, "DELETE"))
    const url = at(`api/kernels/${id}/channels`)
    const socket = yield* openWs(url, { headers, handshakeTimeout: 30_000 })
    socket.socket.send(cell("print(6 * 7)"))
    yield* Effect.sync(() => printed(socket.messages)).pipe(
      Effect.repeat({ until: (text) => text === "42\n", schedule: Schedule.spaced(20) }),
      Effect.timeout(60_000),
    )
    return url
  })

const missing = lackingPackage("jupyter_server") ?? lackingPackage("ipykernel")

describeUnless(missing)("the recipe for Jupyter", () => {
  it.scopedLive(
    "runs a cell over the WebSocket of a kernel, below a path, with the checks of Origin on",
    () =>
      Effect.gen(function* () {
        const reader = yield* Reader.follow(["Jupyter"])
        const page = "http://proxy.example.com/alice/"
        const url = yield* runCell(reader, page)
        yield* reader.type("ss-proxy sessions set alice --host-field server")
        const { headers } = yield* login(reader, page)
        const refused = yield* refusedWs(url, { headers })
        assert.deepStrictEqual([refused.status, refused.body], [403, "Cross origin websockets not allowed"])
      }),
    120_000,
  )

  it.scopedLive(
    "runs a cell on a name of the session, without a base path and without a policy",
    () =>
      Effect.gen(function* () {
        const reader = yield* Reader.follow(["Jupyter on a name of its own"])
        yield* runCell(reader, `http://alice.apps.localhost:${reader.port("8080")}/`)
      }),
    120_000,
  )
})
