import { Effect, type Scope } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runTool } from "./Tool.js"

/** A certificate and its key, as PEM, and where they are as files. */
export interface Identity {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

/** What a certificate is made for. */
export interface IdentityOptions {
  /** Alternative names, as openssl writes them: `DNS:localhost,IP:127.0.0.1`. */
  readonly names?: string
  /** How long it is in force, in days from now; below 0 it has expired. */
  readonly days?: number
}

const openssl = (folder: string, ...args: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.flatMap(runTool("openssl", args, { cwd: folder }), ({ code, stderr }) =>
    code === 0 ? Effect.void : Effect.dieMessage(`openssl ${args.join(" ")}: ${stderr}`),
  )

const freshKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] as const

/** A certificate authority of the test's own, made with `openssl`. */
export class Authority {
  private count = 0

  private constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  /** The file of its certificate. */
  get certFile(): string {
    return join(this.folder, `${this.name}.pem`)
  }

  /** Its certificate, as PEM. */
  get cert(): string {
    return readFileSync(this.certFile, "utf8")
  }

  /** The key that it signs with, as PEM. */
  get key(): string {
    return readFileSync(join(this.folder, `${this.name}.key`), "utf8")
  }

  /** Makes a certificate. */
  issue({ names = "DNS:localhost,IP:127.0.0.1", days = 2 }: IdentityOptions = {}): Effect.Effect<Identity> {
    return Effect.gen(this, function* () {
      const name = `${this.name}-${this.count++}`
      const file = (ending: string) => join(this.folder, `${name}.${ending}`)
      writeFileSync(file("ext"), `subjectAltName=${names}\n`)
      const request = ["-subj", `/CN=${name}`, "-keyout", file("key"), "-out", file("csr")]
      yield* openssl(this.folder, "req", "-new", ...freshKey, ...request)
      const signing = [
        "-CA",
        this.certFile,
        "-CAkey",
        join(this.folder, `${this.name}.key`),
        "-set_serial",
        `${this.count}`,
      ]
      const what = ["-in", file("csr"), "-out", file("pem"), "-days", String(days), "-extfile", file("ext")]
      yield* openssl(this.folder, "x509", "-req", ...what, ...signing)
      const [certFile, keyFile] = [file("pem"), file("key")]
      return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile, keyFile }
    })
  }

  /** Makes an authority; its files are gone with the scope. */
  static make(name = "authority"): Effect.Effect<Authority, never, Scope.Scope> {
    return Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "ss-proxy-tls-"))),
        (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
      )
      const files = ["-keyout", join(folder, `${name}.key`), "-out", join(folder, `${name}.pem`)]
      yield* openssl(folder, "req", "-x509", ...freshKey, "-subj", `/CN=${name}`, "-days", "2", ...files)
      return new Authority(folder, name)
    })
  }
}
