import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ProxySettings } from "../../src/domain/ProxyConfig.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { layerConnections } from "../../src/downstream/ConnectionDownstream.js"
import { layerUndici } from "../undici/UndiciDownstream.js"
import { Authority } from "../support/Certificates.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { callAt, type DownstreamLayer, insecureSessionAt, sessionAt, startDownstream, textOf } from "./DownstreamLab.js"

const layers: ReadonlyArray<readonly [name: string, layer: DownstreamLayer]> = [
  ["own connections", layerConnections],
  ["undici", layerUndici],
]

for (const [layerName, layer] of layers) {
  describeUnless(lacking("openssl"))(`TLS to a session's server: ${layerName}`, () => {
    const ask = (url: string, settings: Partial<ProxySettings>) =>
      Effect.gen(function* () {
        const downstream = yield* startDownstream(layer, settings)
        return yield* textOf(yield* callAt(downstream)({}, sessionAt(url)))
      })

    /** Why there is no answer, as the log has it. */
    const refusal = (url: string, settings: Partial<ProxySettings>) =>
      Effect.map(Effect.flip(ask(url, settings)), (error) =>
        error._tag === "DownstreamUnreachable" ? `${error.reason}: ${String(error.cause)}` : error._tag,
      )

    it.scopedLive("is made where the certificate is of an authority that is trusted; HTTP/1.1 is asked for", () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const origin = yield* TlsOrigin.start(yield* authority.issue())
        assert.strictEqual(yield* ask(origin.url(), { downstreamCa: authority.cert }), "hello")
        assert.deepStrictEqual(origin.clients, [{ servername: false, alpn: "http/1.1", subject: undefined }])
      }),
    )

    it.scopedLive("names the host that is wanted, where it is a name", () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const origin = yield* TlsOrigin.start(yield* authority.issue())
        assert.strictEqual(yield* ask(origin.url("localhost"), { downstreamCa: authority.cert }), "hello")
        assert.strictEqual(origin.clients[0]?.servername, "localhost")
      }),
    )

    it.scopedLive("trusts each of several authorities", () =>
      Effect.gen(function* () {
        const first = yield* Authority.make("first")
        const second = yield* Authority.make("second")
        const downstreamCa = first.cert + second.cert
        for (const authority of [first, second]) {
          const origin = yield* TlsOrigin.start(yield* authority.issue())
          assert.strictEqual(yield* ask(origin.url(), { downstreamCa }), "hello")
        }
      }),
    )

    it.scopedLive("is refused to a server whose authority is not trusted", () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make("unknown")
        const other = yield* Authority.make("other")
        const origin = yield* TlsOrigin.start(yield* authority.issue())
        for (const downstreamCa of ["", other.cert])
          assert.match(yield* refusal(origin.url(), { downstreamCa }), /^certificate: Error: unable to verify/)
        assert.deepStrictEqual(origin.targets, [])
      }),
    )

    it.scopedLive("is refused to a server whose certificate is signed by itself", () =>
      Effect.gen(function* () {
        const self = yield* Authority.make("self")
        const origin = yield* TlsOrigin.start(self)
        assert.match(yield* refusal(origin.url(), {}), /^certificate: Error: self-signed certificate/)
        assert.deepStrictEqual(origin.targets, [])
      }),
    )

    for (const [host, names] of [
      ["localhost", "DNS:elsewhere.test,IP:127.0.0.1"],
      ["127.0.0.1", "DNS:localhost,DNS:127.0.0.1"],
    ] as const)
      it.scopedLive(`is refused to ${host} where the certificate is for ${names}`, () =>
        Effect.gen(function* () {
          const authority = yield* Authority.make()
          const origin = yield* TlsOrigin.start(yield* authority.issue({ names }))
          const refused = yield* refusal(origin.url(host), { downstreamCa: authority.cert })
          assert.match(refused, /^certificate: Error \[ERR_TLS_CERT_ALTNAME_INVALID\]/)
          assert.deepStrictEqual(origin.targets, [])
        }),
      )

    it.scopedLive("is refused to a server whose certificate has expired", () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const origin = yield* TlsOrigin.start(yield* authority.issue({ days: -1 }))
        const refused = yield* refusal(origin.url(), { downstreamCa: authority.cert })
        assert.match(refused, /^certificate: Error: certificate has expired/)
        assert.deepStrictEqual(origin.targets, [])
      }),
    )

    it.scopedLive("shows a certificate to a server that asks for one", () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const { cert, key } = yield* authority.issue()
        const demanding = { ca: authority.cert, requestCert: true, rejectUnauthorized: true }
        const origin = yield* TlsOrigin.start(yield* authority.issue(), demanding)
        const settings = { downstreamCa: authority.cert, downstreamCert: cert, downstreamKey: key }
        assert.strictEqual(yield* ask(origin.url(), settings), "hello")
        assert.deepStrictEqual(
          origin.clients.map(({ subject }) => subject),
          ["authority-0"],
        )
        // With TLS 1.3 the server refuses after the client's side of the handshake is over.
        assert.match(yield* refusal(origin.url(), { downstreamCa: authority.cert }), /^(tls: |DownstreamReset)/)
      }),
    )

    it.scopedLive(
      "is made with any server of a session that is insecure: with name, ALPN and certificate as ever",
      () =>
        Effect.gen(function* () {
          const self = yield* Authority.make("self")
          const authority = yield* Authority.make()
          const { cert, key } = yield* authority.issue()
          const expired = yield* authority.issue({ days: -1, names: "DNS:elsewhere.test" })
          const asking = { requestCert: true, rejectUnauthorized: false }
          const downstream = yield* startDownstream(layer, { downstreamCert: cert, downstreamKey: key })
          for (const identity of [self, expired]) {
            const origin = yield* TlsOrigin.start(identity, asking)
            for (const host of ["localhost", "127.0.0.1"]) {
              const answered = yield* callAt(downstream)({}, insecureSessionAt(origin.url(host)))
              assert.strictEqual(yield* textOf(answered), "hello")
            }
            assert.deepStrictEqual(origin.clients, [
              { servername: "localhost", alpn: "http/1.1", subject: "authority-0" },
              { servername: false, alpn: "http/1.1", subject: "authority-0" },
            ])
          }
        }),
    )

    it.scopedLive("is refused to others at the same server meanwhile", () =>
      Effect.gen(function* () {
        const origin = yield* TlsOrigin.start(yield* Authority.make("self"))
        const downstream = yield* startDownstream(layer)
        const call = callAt(downstream)
        for (let round = 0; round < 2; round++) {
          assert.strictEqual(yield* textOf(yield* call({}, insecureSessionAt(origin.url()))), "hello")
          const refused = yield* Effect.flip(call({}, sessionAt(origin.url())))
          assert.strictEqual(refused._tag === "DownstreamUnreachable" ? refused.reason : refused._tag, "certificate")
        }
      }),
    )

    it.scopedLive("is refused although a variable of Node's own says that nothing is to be verified", () =>
      Effect.gen(function* () {
        const variable = "NODE_TLS_REJECT_UNAUTHORIZED"
        yield* Effect.acquireRelease(
          Effect.sync(() => (process.env[variable] = "0")),
          () => Effect.sync(() => delete process.env[variable]),
        )
        const origin = yield* TlsOrigin.start(yield* Authority.make("self"))
        assert.match(yield* refusal(origin.url(), {}), /^certificate: /)
      }),
    )

    it.scopedLive("is not begun with an address that is denied", () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const origin = yield* TlsOrigin.start(yield* authority.issue())
        const settings = { downstreamCa: authority.cert, denyDownstream: ["127.0.0.0/8", "::1"] }
        for (const host of ["127.0.0.1", "localhost"])
          assert.match(yield* refusal(origin.url(host), settings), /^denied: /)
        assert.deepStrictEqual(origin.clients, [])
      }),
    )
  })
}
