import { createHash, randomBytes, timingSafeEqual } from "node:crypto"
import { Effect, Runtime } from "effect"
import type { ProxySettings } from "../../domain/ProxyConfig.js"
import { type Token, TokenFile, type TokenFileError } from "./TokenFile.js"

/** Who asks, as far as the way in tells. */
export interface Caller {
  /** For the log: `the socket`, or which token, by the beginning of its digest. */
  readonly name: string
  readonly mayWrite: boolean
}

/** The one who comes by the Unix socket. */
export const socketCaller: Caller = { name: "the socket", mayWrite: true }

const digestOf = (text: string): Buffer => createHash("sha256").update(text, "latin1").digest()

interface KnownToken {
  readonly digest: Buffer
  readonly caller: Caller
}

interface IssuedToken extends KnownToken {
  /** When it is over, by `performance.now()`. */
  readonly until: number
}

const known = ({ readOnly, text }: Token): KnownToken => {
  const digest = digestOf(text)
  const name = `${readOnly ? "read " : ""}token ${digest.toString("hex", 0, 2)}`
  return { digest, caller: { name, mayWrite: !readOnly } }
}

/** So many tokens are handed out at a time; one more takes the place of the oldest. */
const mostIssued = 100

/** The tokens that let somebody in over TCP. Without any of the settings' own there are only those that the socket hands out. */
export class AdminTokens {
  private readonly issued: Array<IssuedToken> = []

  constructor(
    private readonly fixed: ReadonlyArray<KnownToken>,
    private readonly file: TokenFile | undefined,
  ) {}

  /** Whose token this is. Every one there is is compared, in the same time, whatever it is. */
  find(given: string): Caller | undefined {
    const digest = digestOf(given)
    let caller: Caller | undefined
    for (const token of this.all()) if (timingSafeEqual(token.digest, digest)) caller = token.caller
    return caller
  }

  /** Makes a new one, which is in force for so many milliseconds. */
  issue(readOnly: boolean, lifetime: number): string {
    const text = randomBytes(32).toString("base64url")
    this.issued.push({ ...known({ text, readOnly }), until: performance.now() + lifetime })
    if (this.issued.length > mostIssued) this.issued.shift()
    return text
  }

  private all(): ReadonlyArray<KnownToken> {
    const now = performance.now()
    const inFile = this.file?.current().map(known) ?? []
    return [...this.fixed, ...inFile, ...this.issued.filter(({ until }) => until > now)]
  }
}

/** The tokens that the settings name. */
export const makeTokens = ({
  adminReadToken,
  adminToken,
  adminTokenFile,
}: Pick<ProxySettings, "adminReadToken" | "adminToken" | "adminTokenFile">): Effect.Effect<
  AdminTokens,
  TokenFileError
> =>
  Effect.gen(function* () {
    const log = Runtime.runFork(yield* Effect.runtime<never>())
    const warn = (problem: string) => void log(Effect.logWarning(problem))
    const file = adminTokenFile === "" ? undefined : yield* TokenFile.open(adminTokenFile, warn)
    const given = [
      { text: adminToken, readOnly: false },
      { text: adminReadToken, readOnly: true },
    ]
    const fixed = given.filter(({ text }) => text !== "").map(known)
    return new AdminTokens(fixed, file)
  })
