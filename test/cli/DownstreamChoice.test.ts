import { describe, expect, it } from "@effect/vitest"
import * as Options from "@effect/cli/Options"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { resolveTls, type TlsChoice, tlsOptions } from "../../src/cli/DownstreamChoice.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { settingRows } from "../../src/domain/Settings.js"
import { Authority } from "../support/Certificates.js"
import { readOptions, withVariables } from "./Options.js"
import { json, onDatabase, runProgram, temporaryFolder } from "./Program.js"

/** Flags of TLS, by the names of their settings. */
type Given = Partial<Record<keyof TlsChoice, string>>

const resolve = (given: Given, variables: Readonly<Record<string, string>> = {}) => {
  const flags = Object.entries(given).map(([name, value]) => [settingRows[name]?.flag?.name ?? name, value])
  return readOptions(Options.all(tlsOptions), Object.fromEntries(flags)).pipe(
    withVariables(variables),
    Effect.flatMap(resolveTls),
    Effect.map((tls) => tls?.current(() => {})),
  )
}

/** What is said of files that cannot be used. */
const problemOf = (given: Given) =>
  Effect.map(Effect.flip(resolve(given)), (error) =>
    "problem" in error ? `${error.problem}; ${error.hint}` : error.message,
  )

const file = (name: string, text: string): string => {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, text)
  return path
}

describeUnless(lacking("openssl"))("the files of TLS", () => {
  it.effect("are none where none is named", () => Effect.map(resolve({}), (tls) => expect(tls).toBeUndefined()))

  it.scopedLive("are read: authorities, a certificate with those behind it, its key", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const other = yield* Authority.make("other")
      const identity = yield* authority.issue()
      const ca = file("ca.pem", `Some words.\n${authority.cert}\n${other.cert}`)
      const chain = file("chain.pem", identity.cert + authority.cert)
      const settings = yield* resolve(
        { downstreamCert: chain, downstreamKey: identity.keyFile },
        { SS_PROXY_DOWNSTREAM_CA: ca },
      )
      expect(settings).toEqual({
        downstreamCa: authority.cert + other.cert,
        downstreamCert: identity.cert + authority.cert,
        downstreamKey: identity.key,
      })
    }),
  )

  it.scopedLive("are refused where they are not what the flags say", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const { certFile, keyFile, cert } = yield* authority.issue()
      const other = yield* authority.issue()
      const broken = file("broken.pem", cert.replace(/[A-Za-z0-9]{30}/, "!"))
      const words = file("words.pem", "no certificate at all\n")
      for (const path of [broken, words, keyFile])
        expect(yield* problemOf({ downstreamCa: path })).toBe(
          `${path} holds no certificates that can be read; give a PEM file of certificates with --downstream-ca`,
        )
      expect(yield* problemOf({ downstreamCert: keyFile, downstreamKey: keyFile })).toContain("holds no certificates")
      expect(yield* problemOf({ downstreamCert: certFile, downstreamKey: certFile })).toContain("holds no private key")
      expect(yield* problemOf({ downstreamCert: certFile, downstreamKey: other.keyFile })).toContain(
        `the key in ${other.keyFile} is not that of the first certificate in ${certFile}`,
      )
    }),
  )

  it.scopedLive("are refused where only one of certificate and key is given", () =>
    Effect.gen(function* () {
      const message = "--downstream-cert and --downstream-key belong together; give both, or neither"
      expect(yield* problemOf({ downstreamCert: "a" })).toBe(message)
      expect(yield* problemOf({ downstreamKey: "a" })).toBe(message)
    }),
  )
})

describe("a proxy that is given a file of TLS that is not there", () => {
  it("does not start, and exits with 1", async () => {
    const folder = temporaryFolder()
    for (const [flag, path, what] of [
      ["--downstream-ca", join(folder, "ca.pem"), "there is no such file"],
      ["--downstream-ca", folder, "it is a folder"],
    ] as const) {
      const { code, stdout, stderr } = await runProgram(["run", "-p", "0", flag, path, "-d", join(folder, "s.db")])
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
      expect(stderr).toBe(`ss-proxy: cannot read ${path}: ${what}; give a PEM file of certificates with ${flag}\n`)
    }
  })
})

describe("a session whose URL holds an address that is denied", () => {
  const refused = (url: string, address: string, why: string) => ({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining(
      `the URL "${url}" cannot be used: ${address} may not be reached: ${why} (see --deny-downstream and --allow-downstream)`,
    ) as string,
  })

  it("is refused by add and set, unless it is allowed", async () => {
    const { sessions } = onDatabase()
    const url = "http://169.254.10.5:9000"
    expect(await sessions("add", "a", url)).toEqual(refused(url, "169.254.10.5", "169.254.0.0/16 is link-local"))
    const allowed = ["--allow-downstream", "169.254.10.0/24"]
    expect(await sessions("add", "a", url, ...allowed)).toMatchObject({ code: 0 })
    const metadata = "http://169.254.169.254"
    expect(await sessions("set", "a", "--url", metadata, ...allowed)).toEqual(
      refused(metadata, "169.254.169.254", "169.254.169.254/32 is cloud metadata"),
    )
    expect(json(await sessions("show", "a", "--json"))).toMatchObject({ url })
  })

  it("is refused by import, which then writes nothing", async () => {
    const { sessions, feed } = onDatabase()
    const lines = '{"id":"a","url":"http://10.0.0.1"}\n{"id":"b","url":"http://[::ffff:10.0.0.2]"}\n'
    const denied = await feed(lines, "import", "-", "--deny-downstream", "10.0.0.2")
    expect(denied).toMatchObject({ code: 1, stdout: "" })
    expect(denied.stderr).toContain("line 2: ")
    expect(denied.stderr).toContain("10.0.0.2 is denied by the settings")
    expect(json(await sessions("list", "--json"))).toEqual([])
  })

  it("is refused by the variables that a proxy would have", async () => {
    const folder = temporaryFolder()
    const { code, stderr } = await runProgram(
      ["sessions", "add", "a", "http://127.0.0.1", "-d", join(folder, "s.db")],
      {
        env: { SS_PROXY_DENY_DOWNSTREAM: "127.0.0.0/8" },
      },
    )
    expect(code).toBe(1)
    expect(stderr).toContain("127.0.0.0/8 is denied by the settings")
  })
})
