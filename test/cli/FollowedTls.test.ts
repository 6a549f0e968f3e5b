import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, type Scope } from "effect"
import { once } from "node:events"
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { FollowedTls } from "../../src/cli/run/FollowedTls.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { authorityFile, identityFiles } from "../../src/cli/run/TlsFiles.js"
import { ProxyConfig } from "../../src/domain/ProxyConfig.js"
import { layerConnections } from "../../src/downstream/ConnectionDownstream.js"
import { Downstream } from "../../src/downstream/Downstream.js"
import { DownstreamCertificates, type DownstreamTlsSettings } from "../../src/downstream/DownstreamTls.js"
import { callAt, sessionAt, textOf } from "../downstream/DownstreamLab.js"
import { temporaryFolder } from "../sessions/temporary.js"
import { Authority, type Identity } from "../support/Certificates.js"
import { patience } from "../support/Changes.js"
import { TlsOrigin } from "../support/TlsOrigin.js"
import { startTool } from "../support/Tool.js"
import { onDatabase } from "./Program.js"
import { binary } from "../support/BuiltProgram.js"

const nothing = { downstreamCa: "", downstreamCert: "", downstreamKey: "" }

/** Files in a folder of their own, which are looked at whenever they are asked for, and what was logged of them. */
interface Fixture {
  readonly folder: string
  readonly put: (name: string, text: string) => void
  readonly current: () => DownstreamTlsSettings
  readonly log: ReadonlyArray<string>
}

const logInto = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message }) => void lines.push(`${logLevel.label} ${String(message)}`)),
  )

const filesIn = (folder: string, names: ReadonlyArray<string>) => [
  ...(names.includes("ca.pem") ? [authorityFile(join(folder, "ca.pem"))] : []),
  ...(names.includes("cert.pem") ? [identityFiles(join(folder, "cert.pem"), join(folder, "key.pem"))] : []),
]

const follow = (
  contents: Readonly<Record<string, string>>,
  lookInterval = 0,
): Effect.Effect<Fixture, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const put = (name: string, text: string) => writeFileSync(join(folder, name), text)
    for (const [name, text] of Object.entries(contents)) put(name, text)
    const tls = yield* Effect.orDie(FollowedTls.read(filesIn(folder, Object.keys(contents)), nothing, lookInterval))
    const log: Array<string> = []
    const logged = (line: Effect.Effect<void>) => Effect.runSync(Effect.provide(line, logInto(log)))
    return { folder, put, log, current: () => tls.current(logged) }
  })

const settingsOf = ({ cert, key }: Identity) => ({ ...nothing, downstreamCert: cert, downstreamKey: key })

describeUnless(lacking("openssl"))("the files of TLS", () => {
  it.scopedLive("are the same object for as long as they say the same", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const { cert } = authority
      const { current, log, put } = yield* follow({ "ca.pem": cert })
      const first = current()
      expect(first).toEqual({ ...nothing, downstreamCa: cert })
      expect(current()).toBe(first)
      put("ca.pem", `the same, with some words before it\n${cert}`)
      expect(current()).toBe(first)
      expect(log).toEqual([])
    }),
  )

  it.scopedLive("are read again when they are replaced in their place, and by a move", () =>
    Effect.gen(function* () {
      const [first, second, third] = [
        yield* Authority.make("first"),
        yield* Authority.make("second"),
        yield* Authority.make("third"),
      ]
      const { current, folder, log, put } = yield* follow({ "ca.pem": first.cert })
      put("ca.pem", second.cert)
      expect(current().downstreamCa).toBe(second.cert)
      put("fresh.pem", third.cert)
      renameSync(join(folder, "fresh.pem"), join(folder, "ca.pem"))
      expect(current().downstreamCa).toBe(third.cert)
      expect(log).toEqual(Array.from({ length: 2 }, () => `INFO read again: ${join(folder, "ca.pem")}`))
    }),
  )

  it.scopedLive("are read again when a link on their path is turned, as Kubernetes does it", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const [before, after] = [yield* authority.issue(), yield* authority.issue()]
      const folder = yield* temporaryFolder
      for (const [name, { cert, key }] of [
        ["one", before],
        ["two", after],
      ] as const) {
        mkdirSync(join(folder, name))
        writeFileSync(join(folder, name, "cert.pem"), cert)
        writeFileSync(join(folder, name, "key.pem"), key)
      }
      symlinkSync("one", join(folder, "data"))
      for (const name of ["cert.pem", "key.pem"]) symlinkSync(join("data", name), join(folder, name))
      const tls = yield* FollowedTls.read(filesIn(folder, ["cert.pem"]), nothing, 0)
      expect(tls.current(() => {})).toEqual(settingsOf(before))
      symlinkSync("two", join(folder, "fresh"))
      renameSync(join(folder, "fresh"), join(folder, "data"))
      expect(tls.current(() => {})).toEqual(settingsOf(after))
    }),
  )

  it.scopedLive("stay as they were while certificate and key do not match, with one warning, until they do", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const [before, after] = [yield* authority.issue(), yield* authority.issue()]
      const { current, folder, log, put } = yield* follow({ "cert.pem": before.cert, "key.pem": before.key })
      put("cert.pem", after.cert)
      for (let look = 0; look < 3; look++) expect(current()).toEqual(settingsOf(before))
      put("key.pem", after.key)
      expect(current()).toEqual(settingsOf(after))
      const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")]
      expect(log).toEqual([
        `WARN the key in ${key} is not that of the first certificate in ${cert}; ` +
          "the files that were read before stay in use until this is corrected",
        `INFO read again: ${cert}, ${key}`,
      ])
    }),
  )

  it.scopedLive("stay as they were while one is gone, is no file or says nothing, and each thing by itself", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const other = yield* Authority.make("other")
      const [before, after] = [yield* authority.issue(), yield* authority.issue()]
      const contents = { "ca.pem": authority.cert, "cert.pem": before.cert, "key.pem": before.key }
      const { current, folder, log, put } = yield* follow(contents)
      const whole = current()
      const spoil = [
        () => rmSync(join(folder, "ca.pem")),
        () => mkdirSync(join(folder, "ca.pem")),
        () => rmSync(join(folder, "ca.pem"), { recursive: true }),
        () => put("ca.pem", ""),
        () => put("ca.pem", authority.cert.slice(0, 200)),
      ]
      for (const step of spoil) {
        step()
        expect(current()).toBe(whole)
      }
      expect(log).toEqual([
        `WARN cannot read ${join(folder, "ca.pem")}: there is no such file; ` +
          "the files that were read before stay in use until this is corrected",
      ])
      put("cert.pem", after.cert)
      put("key.pem", after.key)
      expect(current()).toEqual({ ...settingsOf(after), downstreamCa: authority.cert })
      put("ca.pem", other.cert)
      expect(current()).toEqual({ ...settingsOf(after), downstreamCa: other.cert })
      rmSync(join(folder, "ca.pem"))
      current()
      expect(log.filter((line) => line.startsWith("WARN"))).toHaveLength(2)
    }),
  )

  it.scopedLive("are looked at no more than once in a while, however often they are asked for", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* Authority.make("first"), yield* Authority.make("second")]
      const { current, put } = yield* follow({ "ca.pem": first.cert }, 200)
      const startedAt = performance.now()
      put("ca.pem", second.cert)
      while (current().downstreamCa === first.cert) yield* Effect.sleep(1)
      expect(performance.now() - startedAt).toBeGreaterThan(150)
    }),
  )

  it.scopedLive("are in force for the next connection, and those that are open stay", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const [before, after] = [yield* authority.issue(), yield* authority.issue()]
      const contents = { "ca.pem": authority.cert, "cert.pem": before.cert, "key.pem": before.key }
      const { current, put } = yield* follow(contents)
      const asking = { ca: authority.cert, requestCert: true, rejectUnauthorized: true }
      const origin = yield* TlsOrigin.start(yield* authority.issue(), asking)
      const services = yield* Layer.build(
        layerConnections.pipe(Layer.provide([ProxyConfig.layer({}), Layer.succeed(DownstreamCertificates, current)])),
      )
      const call = callAt(Context.get(services, Downstream))
      const pooled = sessionAt(origin.url())
      expect(yield* textOf(yield* call({}, pooled))).toBe("hello")
      put("cert.pem", after.cert)
      expect(yield* textOf(yield* call({}, sessionAt(origin.url())))).toBe("hello")
      put("key.pem", after.key)
      expect(yield* textOf(yield* call({}, sessionAt(origin.url())))).toBe("hello")
      expect(yield* textOf(yield* call({}, pooled))).toBe("hello")
      expect(origin.clients.map(({ subject }) => subject)).toEqual(["authority-0", "authority-0", "authority-1"])
    }),
  )
})

describeUnless(lacking("openssl"))("certificates of a program's own", () => {
  it.scopedLive("leave those before in force where they cannot be used, with a warning", () =>
    Effect.gen(function* () {
      const authority = yield* Authority.make()
      const origin = yield* TlsOrigin.start(yield* authority.issue())
      const log: Array<string> = []
      let certificates: DownstreamTlsSettings = { ...nothing, downstreamCa: authority.cert }
      const services = yield* Layer.build(
        layerConnections.pipe(
          Layer.provide([ProxyConfig.layer({}), Layer.succeed(DownstreamCertificates, () => certificates)]),
          Layer.provide(logInto(log)),
        ),
      )
      const call = callAt(Context.get(services, Downstream))
      for (const downstreamCert of ["", "words", "words"]) {
        if (downstreamCert !== certificates.downstreamCert) certificates = { ...certificates, downstreamCert }
        expect(yield* textOf(yield* call({}, sessionAt(origin.url())))).toBe("hello")
      }
      expect(log).toEqual([
        "WARN the new certificates for servers of sessions cannot be used; the old ones stay in use",
      ])
    }),
  )
})

describeUnless(lacking("openssl"))("a proxy whose authority changes", () => {
  it.scopedLive("trusts the new one about a second later, without a restart", () =>
    Effect.gen(function* () {
      const [before, after] = [yield* Authority.make("before"), yield* Authority.make("after")]
      const origin = yield* TlsOrigin.start(yield* after.issue())
      const folder = yield* temporaryFolder
      const ca = join(folder, "ca.pem")
      writeFileSync(ca, before.cert)
      const database = join(folder, "sessions.db")
      const args = [binary, "run", "-p", "0", "-H", "127.0.0.1", "-d", database, "--downstream-ca", ca]
      const child = yield* startTool(process.execPath, args)
      let said = ""
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
      yield* Effect.promise(async () => {
        while (!/ port=\d+/.test(said)) await once(child.stderr, "data")
      })
      const { sessions } = onDatabase(database)
      yield* Effect.promise(() => sessions("add", "app", origin.url()))
      const status = Effect.promise(
        async () => (await fetch(`http://127.0.0.1:${/ port=(\d+)/.exec(said)?.[1]}/app/`)).status,
      )
      expect(yield* status).toBe(502)
      const startedAt = performance.now()
      writeFileSync(ca, after.cert)
      while ((yield* status) !== 200) yield* Effect.promise(() => pause(20))
      expect(performance.now() - startedAt).toBeLessThan(patience)
      expect(said).toContain(`read again: ${ca}`)
    }),
  )
})
