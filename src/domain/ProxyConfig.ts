import { Context, Data, Effect, Either, Layer } from "effect"
import { certificatesOf } from "./Certificates.js"
import { refusal } from "./Reading.js"
import { type ProxySettings, settingRows } from "./Settings.js"

export type { PathRule, ProxySettings, WsPath } from "./Settings.js"

/** Settings that cannot be used. */
export class SettingsError extends Data.TaggedError("SettingsError")<{
  /** The setting that is wrong, as `ProxySettings` calls it. */
  readonly setting: string
  /** What is wrong with it, as a phrase behind its name. */
  readonly problem: string
}> {
  override get message(): string {
    return `${this.setting} ${this.problem}`
  }
}

const rows = Object.entries(settingRows)

const hasOnlySettings = (values: object): values is ProxySettings =>
  rows.every(([name, { reading }]) => reading.is(Reflect.get(values, name))) && strangerIn(values) === undefined

const strangerIn = (values: object): string | undefined =>
  Object.keys(values).find((name) => !Object.hasOwn(settingRows, name))

/** A value, for somebody who gave it. A certificate is long, and a key is a secret. */
const shown = (setting: string, value: unknown): string => {
  if (settingRows[setting]?.isSecret === true) return "something else"
  if (typeof value === "string") return value.length > 100 ? "another text" : JSON.stringify(value)
  return Array.isArray(value) ? JSON.stringify(value) : String(value)
}

const faultOf = (values: object): SettingsError => {
  for (const [setting, { reading }] of rows) {
    const value: unknown = Reflect.get(values, setting)
    if (reading.is(value)) continue
    const problem =
      reading.json === undefined
        ? `is ${shown(setting, value)}; it must be ${reading.allowedValue}`
        : refusal(reading, value, reading.allowedValue)
    return new SettingsError({ setting, problem })
  }
  return new SettingsError({ setting: strangerIn(values) ?? "", problem: "is not a setting" })
}

const fallbacks = Object.fromEntries(rows.map(([name, { fallback }]) => [name, fallback]))

/** A value as the flag has it: what `ProxyConfig` holds for no limit may be given back to it. */
const withZero = ([name, value]: readonly [string, unknown]): readonly [string, unknown] =>
  value === Infinity && settingRows[name]?.zeroIsNoLimit === true ? [name, 0] : [name, value]

/**
 * The whole settings: what is given, else the default. A value that the flag of the setting would not take is refused, and
 * so is a name that is none. What is `undefined` is not given. Infinity is 0 where that is no limit.
 */
export const readSettings = (given: Readonly<Record<string, unknown>>): Either.Either<ProxySettings, SettingsError> => {
  const present = Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(withZero)
  return Either.filterOrLeft(Either.right({ ...fallbacks, ...Object.fromEntries(present) }), hasOnlySettings, faultOf)
}

/** The settings of a proxy that is told nothing. */
export const defaultSettings: ProxySettings = Either.getOrThrow(readSettings({}))

/** Whether TLS can be made of what is given as certificates and key. What reads them is loaded only where there are some. */
const checkTls = (settings: ProxySettings): Effect.Effect<void, SettingsError> =>
  Effect.gen(function* () {
    const { downstreamCa: ca, downstreamCert: cert, downstreamKey: key } = settings
    if (ca === "" && cert === "" && key === "") return
    const refuse = (setting: keyof ProxySettings, problem: string) => new SettingsError({ setting, problem })
    if (cert === "" && key !== "") return yield* refuse("downstreamKey", "is of no use without downstreamCert")
    if (cert !== "" && key === "") return yield* refuse("downstreamCert", "is of no use without downstreamKey")
    const { createSecureContext } = yield* Effect.promise(() => import("node:tls"))
    const tryOut = (setting: keyof ProxySettings, use: () => unknown) =>
      Effect.try({
        try: use,
        catch: (cause) => refuse(setting, `cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`),
      })
    if (ca !== "") yield* tryOut("downstreamCa", () => certificatesOf(ca))
    if (cert !== "") yield* tryOut("downstreamCert", () => createSecureContext({ cert }))
    if (cert !== "") yield* tryOut("downstreamKey", () => createSecureContext({ cert, key }))
  })

/** In place of "0 for any number" a number that nothing reaches, so that nobody has to ask for 0. */
const withoutZeros = (settings: ProxySettings): ProxySettings => {
  const unlimited = rows.filter(([name, { zeroIsNoLimit }]) => zeroIsNoLimit && Reflect.get(settings, name) === 0)
  return { ...settings, ...Object.fromEntries(unlimited.map(([name]) => [name, Infinity])) }
}

/** The settings in force. Limits in number or size are Infinity where there are none; times that are off are 0. */
export class ProxyConfig extends Context.Tag("@ss-proxy/ProxyConfig")<ProxyConfig, ProxySettings>() {
  /**
   * The defaults, with what is given in their place: checked as the flags of the command line are. Times are milliseconds, sizes
   * are bytes.
   *
   * @example
   * ```ts
   * import { Effect } from "effect"
   * import { ProxyConfig } from "ss-proxy"
   *
   * const wrong = ProxyConfig.pipe(Effect.provide(ProxyConfig.layer({ port: 70_000 })), Effect.flip)
   * console.log((await Effect.runPromise(wrong))._tag)
   * // prints: SettingsError
   * ```
   */
  static readonly layer = (settings: Partial<ProxySettings> = {}): Layer.Layer<ProxyConfig, SettingsError> =>
    Layer.unwrapEffect(
      Effect.map(Effect.tap(readSettings(settings), checkTls), (checked) => ProxyConfig.layerOf(checked)),
    )

  /** Settings that `readSettings` gave. */
  static readonly layerOf = (settings: ProxySettings): Layer.Layer<ProxyConfig> =>
    Layer.succeed(ProxyConfig, withoutZeros(settings))
}
