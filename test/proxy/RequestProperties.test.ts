import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import fc from "fast-check"
import { type HttpMessage, readRequest, splitRequests } from "../support/HttpMessage.js"
import { chunk, crlf, lastChunk, request } from "../support/HttpText.js"
import { type Lab, startLab } from "../support/Lab.js"

// These let the same properties run for longer, or from elsewhere.
const seed = Number(process.env["PROPERTY_SEED"] ?? 20_260_101)
const factor = Number(process.env["PROPERTY_FACTOR"] ?? 1)
const timeout = 60_000 * factor

/** Tries a property, each time in a laboratory of its own, which has to come to rest behind it. */
const forAll = <A>(
  arbitrary: fc.Arbitrary<A>,
  numRuns: number,
  holds: (lab: Lab, given: A) => Effect.Effect<void, unknown, Scope.Scope>,
) =>
  Effect.promise(() => {
    const once = (given: A) => Effect.runPromise(Effect.scoped(Effect.flatMap(startLab(), (lab) => holds(lab, given))))
    return fc.assert(fc.asyncProperty(arbitrary, once), { seed, numRuns: numRuns * factor })
  })

const joined = (parts: fc.Arbitrary<string>, minLength: number, maxLength: number) =>
  fc.array(parts, { minLength, maxLength }).map((all) => all.join(""))
const oneOf = (characters: string) => fc.constantFrom(...characters)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
const token = joined(oneOf(`${letters}!#$%&'*+-.^_\`|~`), 1, 20)

/** What may stand behind the id of a session: whatever a path and a query can be made of (RFC 3986), and some traps. */
const targetRest = joined(
  fc.oneof(
    joined(oneOf(`${letters}-._~!$&'()*+,;=:@/?`), 1, 8),
    fc.constantFrom("%2F", "%2f", "%00", "%0d%0a", "%2e%2e", "%25", "%c3%a9", "%ff", "//", "/../", "/./", "?", "/"),
  ),
  0,
  8,
).map((rest) => (rest === "" || /^[/?]/.test(rest) ? rest : `/${rest}`))

/** A value: visible bytes and such beyond ASCII, with blanks and tabs only inside (RFC 9110 section 5.5). */
const value = fc
  .array(fc.oneof(fc.integer({ min: 0x21, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constantFrom(32, 9)))
  .map((codes) => String.fromCharCode(...codes).replace(/^[ \t]+|[ \t]+$/g, ""))

/** Fields of which the proxy knows nothing: those it knows have cases of their own. */
const fields = fc.array(
  fc.tuple(
    fc.oneof(token, fc.constantFrom("Same", "same")).map((name) => `P-${name}`),
    value,
  ),
  {
    maxLength: 15,
  },
)

/** Cuts a text in pieces, none of them empty. */
const pieces = (text: string): fc.Arbitrary<ReadonlyArray<string>> =>
  fc.uniqueArray(fc.integer({ min: 0, max: text.length }), { maxLength: 6 }).map((places) => {
    const edges = [0, ...places.sort((one, other) => one - other), text.length]
    return edges.slice(1).flatMap((end, index) => text.slice(edges[index], end) || [])
  })

/** A body among whose bytes there are what looks like framing, and like requests. */
const body = joined(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.constantFrom(crlf, "\n", "\r", "0\r\n\r\n", "5\r\nhello\r\n", "GET /app/hidden HTTP/1.1\r\nHost: h\r\n\r\n"),
    fc.constant("x".repeat(70_000)),
  ),
  0,
  5,
)

/** A body in one of its framings, and the writes in which it is sent. */
const sentBody = body.chain((text) =>
  fc.boolean().chain((chunked) => {
    const extension = fc.constantFrom("", ";a", ';a="b"', ";a=b;c")
    const framed = chunked
      ? pieces(text)
          .chain((parts) =>
            fc.tuple(...parts.map((part) => extension.map((ext) => chunk(part).replace(crlf, ext + crlf)))),
          )
          .map((parts) => parts.join("") + lastChunk())
      : fc.constant(text)
    const line = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${text.length}`
    return framed
      .chain((bytes) => pieces(request("POST /app/x", [line], bytes)))
      .map((writes) => ({ text, chunked, writes }))
  }),
)

const hidden = "GET /app/hidden HTTP/1.1\r\nHost: h\r\n\r\n"
const legal = [
  request("GET /app/x", ["X-A: b", "Connection: keep-alive"]),
  request("POST /app/x", [`Content-Length: ${hidden.length}`, "X-A: b"], hidden),
  request("POST /app/x", ["Transfer-Encoding: chunked"], chunk(hidden) + chunk("abc") + lastChunk(["T: 1"])),
  request("DELETE /app/x", ["Content-Length: 0", "Content-Type: a/b"]),
  request("GET http://proxy.test/app/x?y", ["Expect: 100-continue", "Content-Length: 3"], "abc"),
  request("GET /app/x") + request("POST /app/y", ["Content-Length: 4"], "body") + request("HEAD /app/z"),
]
/** What attacks on framing are made of. */
const poison = fc.oneof(
  oneOf('\r\n\0 \t\x0b:,;01-+\x80\xff"'),
  fc.constantFrom(crlf, crlf + crlf, "0\r\n\r\n", "0x", "chunked, ", "HTTP/1.0", hidden),
  fc
    .constantFrom(
      "Content-Length: 0",
      "Content-Length: 5",
      "Content-Length: 40",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: identity",
      "Connection: close",
      "Connection: content-length",
      "Upgrade: websocket\r\nConnection: upgrade",
      "Upgrade: h2c",
      "Host: other",
    )
    .map((line) => line + crlf),
  fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
)

interface Mutation {
  readonly at: number
  readonly removed: number
  readonly inserted: string
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.oneof(fc.constantFrom(0, 0, 1, 2), fc.integer({ min: 0, max: 30 })),
  inserted: fc.oneof(poison, poison, fc.constant("")),
})
const mutated = fc
  .tuple(fc.constantFrom(...legal), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([bytes, mutations]) =>
    mutations.reduce((text, { at, removed, inserted }) => {
      const place = Math.floor(at * text.length)
      return text.slice(0, place) + inserted + text.slice(place + removed)
    }, bytes),
  )
  .chain((bytes) => fc.tuple(fc.constant(bytes), fc.oneof(fc.constant([bytes]), pieces(bytes))))

/** The requests that bytes begin with, up to the first that is not whole or not HTTP. */
const readable = (bytes: Buffer): ReadonlyArray<HttpMessage> => {
  const found: Array<HttpMessage> = []
  try {
    for (let at = 0; ;) {
      // Empty lines before a request are passed over (RFC 9112 section 2.2), by node's parser half ones too.
      while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++
      const next = readRequest(bytes, at)
      if (next === undefined) return found
      found.push(next.message)
      at = next.end
    }
  } catch {
    return found
  }
}

const told = (message: HttpMessage): string => `${message.startLine} ${message.text}`

/** The same, as it should reach the session's server. */
const forwarded = (message: HttpMessage): string => {
  const target = message.target.replace(/^http:\/\/[^/?]*/i, "").replace(/^\/app/, "")
  return `${message.startLine.split(" ", 1)[0]} ${target.startsWith("/") ? target : `/${target}`} HTTP/1.1 ${message.text}`
}

const seenBy = (lab: Lab): ReadonlyArray<string> =>
  lab.origin.connections.flatMap(({ received }) => splitRequests(received).strict.map(told))

describe("whatever a request is made of", () => {
  it.live(
    "its target and its fields arrive byte for byte, in order, with case and duplicates",
    () =>
      forAll(fc.tuple(targetRest, fields), 120, (lab, [rest, pairs]) =>
        Effect.gen(function* () {
          const reply = yield* lab.ask(
            request(
              `GET /app${rest}`,
              pairs.map(([name, text]) => `${name}: ${text}`),
            ),
          )
          assert.strictEqual(reply.status, 200)
          const seen = yield* lab.origin.request()
          assert.strictEqual(seen.target, rest.startsWith("/") ? rest : `/${rest}`)
          assert.deepStrictEqual(
            seen.fields.filter(([name]) => name.startsWith("P-")),
            pairs,
          )
        }),
      ),
    timeout,
  )

  it.live(
    "its body arrives byte for byte, however it is framed, cut into chunks, and cut into writes",
    () =>
      forAll(sentBody, 120, (lab, { text, chunked, writes }) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* lab.ask(...writes)).status, 200)
          const seen = yield* lab.origin.request()
          assert.isTrue(seen.text === text, `${seen.text.length} bytes for ${text.length}`)
          assert.strictEqual(seen.framing, chunked ? "chunked" : "length")
          assert.deepStrictEqual(
            lab.origin.connections.map(({ received }) => splitRequests(received).rest),
            [""],
          )
        }),
      ),
    timeout,
  )

  it.live(
    "damage to it never makes the session's server see a request that the client did not send, nor harms another client",
    () =>
      forAll(mutated, 250, (lab, [bytes, writes]) =>
        Effect.gen(function* () {
          const client = yield* lab.proxy.connect
          yield* client.send(...writes)
          yield* client.finish
          yield* client.gone
          const sent = readable(Buffer.from(bytes, "latin1")).map(forwarded)
          const seen = seenBy(lab)
          assert.deepStrictEqual(seen, sent.slice(0, seen.length))
          assert.strictEqual((yield* lab.ask(request("GET /app/after"))).status, 200)
          assert.include(seenBy(lab), "GET /after HTTP/1.1 ")
        }),
      ),
    timeout,
  )
})
