import { Config, Effect, Option } from "effect"
import { BlockList, isIP } from "node:net"
import { type WsPath, wsPaths } from "../domain/ProxyConfig.js"
import { redactUrl } from "../wire/DownstreamUrl.js"
import { UsageError } from "./Failure.js"
import { type Flag, logThresholds } from "./Flag.js"

/** How the text of a flag or variable becomes a value. `allowed` completes the sentence "it must be …". */
export interface Reading<A> {
  readonly allowed: string
  readonly read: (text: string) => Option.Option<A>
}

/** Any text but the empty one. */
export const text: Reading<string> = {
  allowed: "a text that is not empty",
  read: (given) => (given === "" ? Option.none() : Option.some(given)),
}

/** A host name or an address; IPv6 may stand in brackets. */
export const hostName: Reading<string> = {
  allowed: "a host name or an IP address",
  read: (given) => {
    const bare = given.replace(/^\[(.*)\]$/, "$1")
    return isIP(bare) > 0 || /^[A-Za-z0-9._-]+$/.test(bare) ? Option.some(bare) : Option.none()
  },
}

/** A TCP port, or 0. */
export const portNumber: Reading<number> = {
  allowed: "a whole number from 0 to 65535",
  read: (given) => (/^\d{1,5}$/.test(given) && Number(given) <= 65_535 ? Option.some(Number(given)) : Option.none()),
}

/** The longest time that a timer of Node can wait. */
const longestSeconds = 2_147_483

const milliseconds = (given: string): Option.Option<number> =>
  /^(\d+(\.\d*)?|\.\d+)$/.test(given) && Number(given) <= longestSeconds
    ? Option.some(Math.ceil(Number(given) * 1000))
    : Option.none()

/** Seconds, in milliseconds; 0 is allowed. */
export const seconds: Reading<number> = {
  allowed: `a number of seconds from 0 to ${longestSeconds}, such as 30 or 0.5`,
  read: milliseconds,
}

/** Seconds above 0, in milliseconds. */
export const positiveSeconds: Reading<number> = {
  allowed: `a number of seconds above 0 and up to ${longestSeconds}, such as 30 or 0.5`,
  read: (given) => Option.filter(milliseconds(given), (value) => value > 0),
}

/** A number of things; 0 is allowed. */
export const count: Reading<number> = {
  allowed: "a whole number, such as 1000",
  read: (given) => (/^\d{1,15}$/.test(given) ? Option.some(Number(given)) : Option.none()),
}

const unitSizes: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** Bytes, with a unit of 1024 (k), 1024 k (m) or 1024 m (g), or none. */
export const byteSize: Reading<number> = {
  allowed: "a whole number of bytes, such as 1048576, 512k, 16m or 1g",
  read: (given) => {
    const [, digits = "", unit = ""] = /^(\d{1,15})([kmg]?)$/i.exec(given) ?? []
    const size = Number(digits) * (unitSizes[unit.toLowerCase()] ?? 1)
    return digits !== "" && Number.isSafeInteger(size) ? Option.some(size) : Option.none()
  },
}

/** Bytes above 0. */
export const positiveByteSize: Reading<number> = {
  allowed: `${byteSize.allowed}, above 0`,
  read: (given) => Option.filter(byteSize.read(given), (size) => size > 0),
}

/** One of some words, in any case. */
export const oneOf = <A extends string>(words: ReadonlyArray<A>): Reading<A> => ({
  allowed: `one of ${words.join(", ")}`,
  read: (given) => Option.fromNullable(words.find((word) => word === given.toLowerCase())),
})

/** The rule for WebSocket paths. */
export const wsPathRule: Reading<WsPath> = oneOf(wsPaths)

/** The same for one session; `default` is that of the proxy. */
export const sessionWsPathRule: Reading<WsPath | null> = {
  allowed: `one of ${wsPaths.join(", ")}, default`,
  read: (given) => (given.toLowerCase() === "default" ? Option.some(null) : wsPathRule.read(given)),
}

/** What is logged. */
export type LogThreshold = (typeof logThresholds)[number]

export const logThreshold: Reading<LogThreshold> = oneOf(logThresholds)

const truth: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

/** A switch. */
export const onOrOff: Reading<boolean> = {
  allowed: "true or false",
  read: (given) => Option.fromNullable(truth[given.toLowerCase()]),
}

const isBlock = (block: string): boolean => {
  const [address = "", prefix, ...more] = block.split("/")
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  if (prefix === undefined) return true
  if (!/^\d{1,3}$/.test(prefix)) return false
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? "ipv4" : "ipv6")
    return true
  } catch {
    return false
  }
}

/** Addresses and CIDR blocks, between commas. */
export const addressBlocks: Reading<ReadonlyArray<string>> = {
  allowed: "IP addresses or CIDR blocks between commas, such as 10.0.0.0/8,::1",
  read: (given) => {
    const blocks = given
      .split(",")
      .map((block) => block.trim())
      .filter((block) => block !== "")
    return blocks.every(isBlock) ? Option.some(blocks) : Option.none()
  },
}

const readOrRefuse = <A>(source: string, reading: Reading<A>, given: string): Effect.Effect<A, UsageError> =>
  Effect.mapError(
    reading.read(given),
    () =>
      new UsageError({ message: `${source} is ${JSON.stringify(redactUrl(given))}; it must be ${reading.allowed}` }),
  )

/** The text of a variable. An empty variable counts as none. */
export const variable = (name: string): Effect.Effect<Option.Option<string>> =>
  Config.string(name).pipe(Effect.option, Effect.map(Option.filter((found) => found !== "")))

/** What a flag's text means, if the flag was given. */
export const given = <A>(
  flag: Flag,
  text: Option.Option<string>,
  reading: Reading<A>,
): Effect.Effect<Option.Option<A>, UsageError> =>
  Effect.transposeMapOption(text, (text) => readOrRefuse(`--${flag.name}`, reading, text))

/** A setting: the flag, else its variable, else the default. */
export const setting = <A>(
  flag: Flag,
  text: Option.Option<string>,
  reading: Reading<A>,
  fallback: A,
): Effect.Effect<A, UsageError> =>
  Effect.gen(function* () {
    if (Option.isSome(text)) return yield* readOrRefuse(`--${flag.name}`, reading, text.value)
    if (flag.env === undefined) return fallback
    const found = yield* variable(flag.env)
    return Option.isSome(found) ? yield* readOrRefuse(flag.env, reading, found.value) : fallback
  })
