import { Effect } from "effect"
import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { downstreamSecureContext, type DownstreamTlsSettings } from "../downstream/DownstreamTls.js"
import { CommandFailed } from "./Failure.js"
import { fileFault } from "./FileFault.js"

/** Where the certificate that the proxy shows is, and its key. */
export interface IdentityFiles {
  readonly cert: string
  readonly key: string
}

const read = (path: string, hint: string): Effect.Effect<string, CommandFailed> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => new CommandFailed({ problem: `cannot read ${path}: ${fileFault(cause)}`, hint }),
  })

const use = <A>(path: string, what: string, hint: string, parse: () => A): Effect.Effect<A, CommandFailed> =>
  Effect.try({ try: parse, catch: () => new CommandFailed({ problem: `${path} holds no ${what}`, hint }) })

const certificatePattern = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g

/** The certificates of a PEM text, in order; throws where there is none, or one cannot be read. */
const certificatesOf = (pem: string): readonly [X509Certificate, ...ReadonlyArray<X509Certificate>] => {
  const [first, ...others] = (pem.match(certificatePattern) ?? []).map((text) => new X509Certificate(text))
  if (first === undefined) throw new Error("no certificate")
  return [first, ...others]
}

const textOf = (certificates: ReadonlyArray<X509Certificate>): string =>
  certificates.map((certificate) => certificate.toString()).join("")

const caHint = "give a PEM file of certificates with --downstream-ca"

/** The certificates of authorities in a file. */
export const readAuthorities = (path: string): Effect.Effect<string, CommandFailed> =>
  Effect.flatMap(read(path, caHint), (pem) =>
    use(path, "certificates that can be read", caHint, () => textOf(certificatesOf(pem))),
  )

const certHint = "give a PEM file of certificates, the proxy's own first, with --downstream-cert"
const keyHint = "give a PEM file of a private key that is not encrypted with --downstream-key"

/** Whether TLS takes a certificate and its key; a key may be too short for it, for example. */
const accepted = (
  { cert, key }: IdentityFiles,
  identity: Omit<DownstreamTlsSettings, "downstreamCa">,
): Effect.Effect<void, CommandFailed> =>
  Effect.try({
    try: () => void downstreamSecureContext({ ...identity, downstreamCa: "" }),
    catch: (cause) =>
      new CommandFailed({
        problem: `${cert} and ${key} cannot be used for TLS: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: "make another certificate and key",
      }),
  })

/** The certificate that the proxy shows, with those behind it in its file, and its key. */
export const readIdentity = (
  files: IdentityFiles,
): Effect.Effect<Omit<DownstreamTlsSettings, "downstreamCa">, CommandFailed> =>
  Effect.gen(function* () {
    const certPem = yield* read(files.cert, certHint)
    const downstreamKey = yield* read(files.key, keyHint)
    const chain = yield* use(files.cert, "certificates that can be read", certHint, () => certificatesOf(certPem))
    const key = yield* use(files.key, "private key that can be read", keyHint, () => createPrivateKey(downstreamKey))
    if (!chain[0].checkPrivateKey(key))
      return yield* new CommandFailed({
        problem: `the key in ${files.key} is not that of the first certificate in ${files.cert}`,
        hint: certHint,
      })
    const identity = { downstreamCert: textOf(chain), downstreamKey }
    yield* accepted(files, identity)
    return identity
  })
