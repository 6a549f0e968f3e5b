import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, FastCheck as fc, Layer } from "effect"
import { ProxyConfig, type ProxySettings } from "../../src/domain/ProxyConfig.js"
import { settingRows } from "../../src/domain/Settings.js"
import { Authority } from "../support/Certificates.js"
import { isInstalled } from "../support/Tool.js"

const inForce = (settings: Partial<ProxySettings>) =>
  Effect.map(Effect.scoped(Layer.build(ProxyConfig.layer(settings))), Context.get(ProxyConfig))

/** Values that a program may give for each setting. PEM texts are tried out, and so are left alone. */
const valuesOf = Object.fromEntries(
  Object.entries(settingRows).map(([name, { fallback, reading }]): [string, fc.Arbitrary<unknown>] => {
    if (name.startsWith("downstreamC") || name === "downstreamKey") return [name, fc.constant(fallback)]
    if (reading.choices !== undefined) return [name, fc.constantFrom(...reading.choices)]
    if (typeof fallback === "boolean") return [name, fc.boolean()]
    if (typeof fallback === "number")
      return [name, fc.oneof(fc.constant(fallback), fc.constant(0), fc.nat(), fc.nat(65_535)).filter(reading.is)]
    // The default is one of them, so that the filter always finds a value.
    const texts = fc.oneof(fc.constant("fd00::/8"), fc.ipV4(), fc.domain())
    if (Array.isArray(fallback)) return [name, fc.oneof(fc.constant(fallback), fc.array(texts)).filter(reading.is)]
    return [name, fc.oneof(fc.constant(fallback), fc.nat(65_535), fc.ipV6(), texts).filter(reading.is)]
  }),
)

const refusalOf = (settings: Partial<ProxySettings>) => Effect.flip(inForce(settings))

describe("settings that a program gives", () => {
  it.effect("stand in place of the defaults, and limits that are off are limits that nothing reaches", () =>
    Effect.gen(function* () {
      const settings = yield* inForce({ port: 0, maxBodyBytes: 10, trustedProxies: ["10.0.0.0/8"] })
      expect(settings).toMatchObject({ host: "0.0.0.0", port: 0, maxBodyBytes: 10, trustedProxies: ["10.0.0.0/8"] })
      expect(settings).toMatchObject({ maxConnections: Infinity, maxTargetBytes: Infinity, minRate: 0, wsPing: 0 })
    }),
  )

  it.effect("are refused where the flag would be, by an error that says which and why", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [given: Partial<ProxySettings>, said: string]> = [
        [{ port: 70_000 }, "port is 70000; it must be a whole number from 0 to 65535"],
        [{ port: 80.5 }, "port is 80.5; it must be a whole number"],
        [{ host: "a b" }, 'host is "a b"; it must be a host name or an IP address'],
        [{ timeout: 0 }, "timeout is 0; it must be a whole number of milliseconds above 0 and up to 2147483000"],
        [{ grace: Number.NaN }, "grace is NaN; it must be a whole number of milliseconds from 0"],
        [{ wsPing: Infinity }, "wsPing is Infinity; it must be"],
        [{ maxConnections: -1 }, "maxConnections is -1; it must be a whole number"],
        [{ maxHeaderBytes: 0 }, "maxHeaderBytes is 0; it must be a whole number of bytes, such as 1048576, above 0"],
        [{ trustedProxies: ["10.0.0.0/40"] }, 'trustedProxies is ["10.0.0.0/40"]; it must be an array of IP addresses'],
        [{ denyDownstream: ["localhost"] }, 'denyDownstream is ["localhost"]; it must be'],
        [{ downstreamCa: "words" }, 'downstreamCa is "words"; it must be a PEM text'],
        [{ downstreamKey: "hunter2" }, "downstreamKey is something else; it must be a PEM text"],
        [{ downstreamCa: "-----BEGIN CERTIFICATE-----" }, "downstreamCa cannot be used: there is no certificate in it"],
        [
          { downstreamCa: "-----BEGIN CERTIFICATE-----\nwords\n-----END CERTIFICATE-----\n" },
          "downstreamCa cannot be used: ",
        ],
      ]
      for (const [given, said] of cases) {
        const error = yield* refusalOf(given)
        expect(error).toMatchObject({ _tag: "SettingsError", setting: Object.keys(given)[0] })
        expect(error.message).toContain(said)
      }
    }),
  )

  it.effect("are refused where there is no such setting, and are none where they are undefined", () =>
    Effect.gen(function* () {
      const misspelt: object = { prot: 9000 }
      expect((yield* refusalOf(misspelt)).message).toBe("prot is not a setting")
      const absent: object = { port: undefined }
      expect((yield* inForce(absent)).port).toBe(8080)
    }),
  )

  it.effect.prop("can be given back as they are held", { settings: fc.record(valuesOf) }, ({ settings }) =>
    Effect.gen(function* () {
      const held = yield* inForce(settings)
      expect(yield* inForce(held)).toEqual(held)
    }),
  )

  it.effect("may be no limit as they are held, where the setting knows such a thing, and only there", () =>
    Effect.gen(function* () {
      for (const [name, { fallback, zeroIsNoLimit }] of Object.entries(settingRows)) {
        if (typeof fallback !== "number") continue
        const given = inForce({ [name]: Infinity })
        if (zeroIsNoLimit === true) expect(Reflect.get(yield* given, name)).toBe(Infinity)
        else expect((yield* Effect.flip(given)).setting).toBe(name)
      }
    }),
  )

  // Certificates to try are made by openssl, for Node makes none.
  it.scopedLive.skipIf(!isInstalled("openssl"))(
    "are refused where no TLS can be made of them, without showing a key",
    () =>
      Effect.gen(function* () {
        const authority = yield* Authority.make()
        const { cert, key } = yield* authority.issue()
        const other = yield* authority.issue()
        yield* inForce({ downstreamCa: authority.cert, downstreamCert: cert, downstreamKey: key })
        const cases: ReadonlyArray<readonly [Partial<ProxySettings>, string]> = [
          [{ downstreamCert: cert }, "downstreamCert is of no use without downstreamKey"],
          [{ downstreamKey: key }, "downstreamKey is of no use without downstreamCert"],
          [{ downstreamCert: cert, downstreamKey: other.key }, "downstreamKey cannot be used: "],
          [{ downstreamCert: key, downstreamKey: key }, "downstreamCert cannot be used: "],
        ]
        for (const [given, said] of cases) {
          const { message } = yield* refusalOf(given)
          expect(message).toContain(said)
          expect(message).not.toContain("PRIVATE KEY")
        }
      }),
  )
})

describe("the table of settings", () => {
  it("names no flag twice, and shows each default in the words that its flag is given", () => {
    const flags = Object.values(settingRows).flatMap(({ flag }) =>
      flag === undefined ? [] : [flag.name, flag.short ?? flag.name],
    )
    const names = Object.values(settingRows).flatMap(({ flag }) => flag?.name ?? [])
    expect(new Set(names).size).toBe(names.length)
    expect(flags.every((name) => /^[a-zA-Z]$|^[a-z]+(-[a-z]+)*$/.test(name))).toBe(true)
    for (const { reading, fallback, flag, inFile } of Object.values(settingRows)) {
      expect(reading.is(fallback)).toBe(true)
      if (flag !== undefined && inFile !== true)
        expect(reading.read(reading.show(fallback))).toMatchObject({ value: fallback })
    }
  })
})
