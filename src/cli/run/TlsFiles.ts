import { Effect, Either } from "effect"
import { createPrivateKey, type X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { certificatesOf } from "../../domain/Certificates.js"
import { downstreamSecureContext, type DownstreamTlsSettings } from "../../downstream/DownstreamTls.js"
import { CommandFailed } from "../Failure.js"
import { fileFault } from "../FileFault.js"

/** Files named by flags. Files that belong together, such as a certificate and its key, are one `TlsFiles`. */
export interface TlsFiles<A> {
  readonly paths: ReadonlyArray<string>
  /** For each path: a phrase that says which file to give if it cannot be read. */
  readonly hints: ReadonlyArray<string>
  /** Parses their texts, in the order of the paths. */
  readonly parse: (texts: ReadonlyArray<string>) => Either.Either<A, CommandFailed>
}

/** A file cannot be read. */
export const unreadable = (path: string, hint: string, cause: unknown): CommandFailed =>
  new CommandFailed({ problem: `cannot read ${path}: ${fileFault(cause)}`, hint })

/** Reads the files for the first time. */
export const readFiles = <A>({ paths, hints, parse }: TlsFiles<A>): Effect.Effect<A, CommandFailed> =>
  Effect.forEach(paths, (path, index) =>
    Effect.tryPromise({
      try: () => readFile(path, "utf8"),
      catch: (cause) => unreadable(path, hints[index] ?? "", cause),
    }),
  ).pipe(Effect.flatMap(parse))

const use = <A>(path: string, what: string, hint: string, parse: () => A): Either.Either<A, CommandFailed> =>
  Either.try({ try: parse, catch: () => new CommandFailed({ problem: `${path} holds no ${what}`, hint }) })

const textOf = (certificates: ReadonlyArray<X509Certificate>): string =>
  certificates.map((certificate) => certificate.toString()).join("")

const caHint = "give a PEM file of certificates with --downstream-ca"

/** The file with the certificates of trusted authorities. */
export const authorityFile = (path: string): TlsFiles<Pick<DownstreamTlsSettings, "downstreamCa">> => ({
  paths: [path],
  hints: [caHint],
  parse: ([pem = ""]) =>
    use(path, "certificates that can be read", caHint, () => ({ downstreamCa: textOf(certificatesOf(pem)) })),
})

const certHint = "give a PEM file of certificates, the proxy's own first, with --downstream-cert"
const keyHint = "give a PEM file of a private key that is not encrypted with --downstream-key"

type Identity = Omit<DownstreamTlsSettings, "downstreamCa">

/** Refuses a certificate and key that TLS does not accept, for example because the key is too short. */
const accepted = (cert: string, key: string, identity: Identity): Either.Either<Identity, CommandFailed> =>
  Either.try({
    try: () => {
      downstreamSecureContext({ ...identity, downstreamCa: "" })
      return identity
    },
    catch: (cause) =>
      new CommandFailed({
        problem: `${cert} and ${key} cannot be used for TLS: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: "make another certificate and key",
      }),
  })

/** The file of the proxy's client certificate with its chain, and the file of its key. */
export const identityFiles = (cert: string, key: string): TlsFiles<Identity> => ({
  paths: [cert, key],
  hints: [certHint, keyHint],
  parse: ([certPem = "", keyPem = ""]) =>
    Either.gen(function* () {
      const chain = yield* use(cert, "certificates that can be read", certHint, () => certificatesOf(certPem))
      const secret = yield* use(key, "private key that can be read", keyHint, () => createPrivateKey(keyPem))
      if (!chain[0].checkPrivateKey(secret))
        return yield* Either.left(
          new CommandFailed({
            problem: `the key in ${key} is not that of the first certificate in ${cert}`,
            hint: certHint,
          }),
        )
      return yield* accepted(cert, key, { downstreamCert: textOf(chain), downstreamKey: keyPem })
    }),
})
