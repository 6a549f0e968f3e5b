import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { fileFault } from "../FileFault.js"
import { CommandFailed, UsageError } from "../Failure.js"

/** Who decides which requests are recorded: the parent of a trace that is continued, if it counts, else a share of all. */
export interface Sampling {
  readonly byParent: boolean
  /** From 0 to 1. */
  readonly share: number
}

/** Where spans go, and how. Times are milliseconds, sizes spans. */
export interface Collector {
  readonly url: URL
  readonly fields: Readonly<Record<string, string>>
  readonly gzip: boolean
  /** For one batch, whatever has to be tried again for it. */
  readonly timeout: number
  /** Of TLS, as PEM. */
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
}

/** How spans gather. */
export interface Batching {
  readonly delay: number
  readonly mostWaiting: number
  readonly mostAtOnce: number
}

/** What the variables of OpenTelemetry ask for. */
export interface TraceChoice {
  readonly collector: Collector
  readonly sampling: Sampling
  readonly batching: Batching
  /** What is wrong with some of them, as sentences for the log: they count as not set. */
  readonly warnings: ReadonlyArray<string>
}

type Variables = Readonly<Record<string, string | undefined>>

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
const tracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"

/** Reads variables, and remembers what was wrong. One that is empty is as good as none. */
class Reader {
  readonly warnings: Array<string> = []

  constructor(private readonly variables: Variables) {}

  text(name: string): string | undefined {
    const value = this.variables[name]?.trim()
    return value === "" ? undefined : value
  }

  /** The name and value of `OTEL_EXPORTER_OTLP_TRACES_…`, else of `OTEL_EXPORTER_OTLP_…`. */
  ofExporter(what: string): readonly [name: string, value: string] | undefined {
    for (const name of [`OTEL_EXPORTER_OTLP_TRACES_${what}`, `OTEL_EXPORTER_OTLP_${what}`]) {
      const value = this.text(name)
      if (value !== undefined) return [name, value]
    }
    return undefined
  }

  refuse(name: string, value: string, allowed: string, instead: string): void {
    this.warnings.push(`${name} is ${JSON.stringify(value)}; it must be ${allowed}. ${instead}`)
  }

  number(name: string, least: number, fallback: number): number {
    const value = this.text(name)
    if (value === undefined) return fallback
    const number = Number(value)
    if (Number.isFinite(number) && number >= least) return Math.floor(number)
    this.refuse(name, value, `a number from ${least} on`, `${fallback} is used.`)
    return fallback
  }
}

const urlOf = (name: string, value: string): Effect.Effect<URL, UsageError> => {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === "http:" || url?.protocol === "https:") return Effect.succeed(url)
  const message = `${name} is not a URL that spans can be sent to; it must begin with http:// or https://, such as http://localhost:4318`
  return Effect.fail(new UsageError({ message }))
}

/** The variable for all signals names the root, that for traces the very URL. */
const collectorUrl = (read: Reader): Effect.Effect<URL, UsageError> => {
  const exact = read.text(tracesEndpoint)
  if (exact !== undefined) return urlOf(tracesEndpoint, exact)
  return Effect.map(urlOf(endpoint, read.text(endpoint) ?? ""), (url) => {
    url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`
    return url
  })
}

const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const fieldValue = /^[\t\u0020-\u007e]*$/

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** `name=value,name=value`, with percent-encoding in the values, as OpenTelemetry has it. Secrets: no value is told. */
const fieldsOf = (read: Reader): Readonly<Record<string, string>> => {
  const fields: Record<string, string> = {}
  for (const variable of ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"]) {
    const members = (read.text(variable) ?? "").split(",").filter((member) => member.trim() !== "")
    for (const [index, member] of members.entries()) {
      const equals = member.indexOf("=")
      const name = member.slice(0, Math.max(0, equals)).trim().toLowerCase()
      const value = decoded(member.slice(equals + 1).trim())
      if (value !== undefined && fieldName.test(name) && fieldValue.test(value)) fields[name] = value
      else
        read.warnings.push(
          `${variable}: number ${index + 1} of its fields is none; write name=value, with commas between. It is left out.`,
        )
    }
  }
  return fields
}

const samplers: Readonly<Record<string, (share: number) => Sampling>> = {
  always_on: () => ({ byParent: false, share: 1 }),
  always_off: () => ({ byParent: false, share: 0 }),
  traceidratio: (share) => ({ byParent: false, share }),
  parentbased_always_on: () => ({ byParent: true, share: 1 }),
  parentbased_always_off: () => ({ byParent: true, share: 0 }),
  parentbased_traceidratio: (share) => ({ byParent: true, share }),
}

const shareOf = (read: Reader): number => {
  const name = "OTEL_TRACES_SAMPLER_ARG"
  const value = read.text(name) ?? ""
  const share = value === "" ? Number.NaN : Number(value)
  if (share >= 0 && share <= 1) return share
  read.refuse(name, value, "a share from 0 to 1, such as 0.01", "All requests are recorded.")
  return 1
}

const samplingOf = (read: Reader): Sampling => {
  const name = "OTEL_TRACES_SAMPLER"
  const value = read.text(name) ?? "parentbased_always_on"
  const known = Object.hasOwn(samplers, value) ? samplers[value] : undefined
  if (known !== undefined) return known(value.endsWith("traceidratio") ? shareOf(read) : 1)
  read.refuse(name, value, `one of ${Object.keys(samplers).join(", ")}`, "parentbased_always_on is used.")
  return { byParent: true, share: 1 }
}

const usesGzip = (read: Reader): boolean => {
  const [name = "", value = "none"] = read.ofExporter("COMPRESSION") ?? []
  if (value !== "none" && value !== "gzip") read.refuse(name, value, "none or gzip", "Nothing is compressed.")
  return value === "gzip"
}

/** Spans go as JSON over HTTP. A collector that takes protobuf over HTTP takes these too; gRPC is another port. */
const checkProtocol = (read: Reader): void => {
  const [name = "", value = "http/json"] = read.ofExporter("PROTOCOL") ?? []
  const isFit = value === "http/json" || value === "http/protobuf"
  if (!isFit)
    read.refuse(
      name,
      value,
      "http/json",
      "Spans are sent as that: name the port where the collector takes HTTP, 4318 mostly.",
    )
  const exporter = read.text("OTEL_TRACES_EXPORTER") ?? "otlp"
  if (exporter !== "otlp") read.refuse("OTEL_TRACES_EXPORTER", exporter, "otlp or none", "Spans are sent by OTLP.")
}

/** A file that a variable names. One that cannot be read is no reason to send spans without what stands in it. */
const fileOf = (read: Reader, what: string): Effect.Effect<Buffer | undefined, CommandFailed> => {
  const [name, path] = read.ofExporter(what) ?? []
  if (name === undefined || path === undefined) return Effect.succeed(undefined)
  return Effect.try({
    try: () => readFileSync(path),
    catch: (cause) =>
      new CommandFailed({
        problem: `${name}: cannot read ${path}: ${fileFault(cause)}`,
        hint: "name another, or unset it",
      }),
  })
}

/**
 * What the variables of OpenTelemetry ask for, where they ask for spans. A wrong endpoint or file is an error: spans would go
 * nowhere, or without what should protect them. Anything else that is wrong is a warning.
 */
export const readTraceVariables = (variables: Variables): Effect.Effect<TraceChoice, UsageError | CommandFailed> =>
  Effect.gen(function* () {
    const read = new Reader(variables)
    const url = yield* collectorUrl(read)
    const ca = yield* fileOf(read, "CERTIFICATE")
    const cert = yield* fileOf(read, "CLIENT_CERTIFICATE")
    const key = yield* fileOf(read, "CLIENT_KEY")
    checkProtocol(read)
    const [timeoutName = "OTEL_EXPORTER_OTLP_TIMEOUT"] = read.ofExporter("TIMEOUT") ?? []
    const timeout = read.number(timeoutName, 1, 10_000)
    const mostWaiting = read.number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 2_048)
    const mostAtOnce = Math.min(mostWaiting, read.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, 512))
    return {
      collector: { url, fields: fieldsOf(read), gzip: usesGzip(read), timeout, ca, cert, key },
      sampling: samplingOf(read),
      batching: { delay: read.number("OTEL_BSP_SCHEDULE_DELAY", 1, 5_000), mostWaiting, mostAtOnce },
      warnings: read.warnings,
    }
  })
