import { Effect, Option, Schema, Stream } from "effect"
import { jsonAnswer } from "./DemoAnswer.js"
import type { DemoHandler } from "./DemoAnswer.js"
import { DemoRefusal, numberIn, wholeBody } from "./DemoRequest.js"
import type { DemoRequest } from "./DemoRequest.js"

type Folded = Readonly<Record<string, string | ReadonlyArray<string>>>

/** An object of name-value pairs; repeated names become arrays. */
const folded = (pairs: Iterable<readonly [string, string]>): Folded => {
  const values = new Map<string, Array<string>>()
  for (const [name, value] of pairs) {
    const before = values.get(name)
    if (before === undefined) values.set(name, [value])
    else before.push(value)
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? (all[0] ?? "") : all]))
}

/** Fields by name, spelled as in the first line; repeated lines become one list (RFC 9110 section 5.3). */
const foldedFields = (fields: ReadonlyArray<string>): Readonly<Record<string, string>> => {
  const byName = new Map<string, { readonly spelled: string; readonly value: string }>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [spelled = "", value = ""] = fields.slice(index, index + 2)
    const name = spelled.toLowerCase()
    const before = byName.get(name)
    const separator = name === "cookie" ? "; " : ", "
    byName.set(
      name,
      before === undefined ? { spelled, value } : { spelled: before.spelled, value: before.value + separator + value },
    )
  }
  return Object.fromEntries([...byName.values()].map(({ spelled, value }) => [spelled, value]))
}

/** A summary of a request without its body. */
export const summary = (request: DemoRequest) => ({
  args: folded(request.query),
  headers: foldedFields(request.fields),
  origin: request.origin,
  url: request.url,
})

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** A body as text if it is UTF-8, else as a data URL. */
const bodyText = (body: Buffer, type: string): string => {
  try {
    return utf8.decode(body)
  } catch {
    return `data:${type === "" ? "application/octet-stream" : type};base64,${body.toString("base64")}`
  }
}

const isForm = /^(application\/x-www-form-urlencoded|multipart\/form-data)\b/i
const parseJson = Schema.decodeUnknownOption(Schema.parseJson())

/** The fields and files of a form; `None` if the body cannot be parsed as one. */
const readForm = (body: Buffer, type: string) =>
  Effect.tryPromise(async () => {
    const form = [...(await new Response(body, { headers: { "Content-Type": type } }).formData())]
    const files = form.flatMap(([name, value]) => (typeof value === "string" ? [] : [[name, value] as const]))
    const texts = await Promise.all(files.map(async ([name, file]) => [name, await file.text()] as const))
    return {
      form: folded(form.flatMap(([name, value]) => (typeof value === "string" ? [[name, value] as const] : []))),
      files: folded(texts),
    }
  }).pipe(Effect.option)

const contents = (request: DemoRequest) =>
  Effect.gen(function* () {
    const body = yield* wholeBody(request)
    const type = request.header("content-type") ?? ""
    const form = isForm.test(type) ? yield* readForm(body, type) : Option.none()
    if (Option.isSome(form)) return { data: "", ...form.value, json: null }
    const data = bodyText(body, type)
    return { data, form: {}, files: {}, json: Option.getOrNull(parseJson(data)) }
  })

/** The request without its body. */
export const showRequest: DemoHandler = (request) => Effect.succeed(jsonAnswer(summary(request)))

/** The request with its body: as text, and parsed if it is a form or JSON. */
export const showEverything: DemoHandler = (request) =>
  Effect.map(contents(request), (body) => jsonAnswer({ method: request.method, ...summary(request), ...body }))

/** The request, some seconds later. */
export const showLater: DemoHandler = (request) =>
  numberIn(request.param, { name: "The delay in seconds", min: 0, max: 60, fractions: true }).pipe(
    Effect.flatMap((seconds) => Effect.sleep(seconds * 1000)),
    Effect.andThen(showEverything(request)),
  )

export const showHeaders: DemoHandler = (request) => Effect.succeed(jsonAnswer({ headers: summary(request).headers }))

export const showAddress: DemoHandler = (request) => Effect.succeed(jsonAnswer({ origin: request.origin }))

export const showCookies: DemoHandler = (request) => {
  const pairs = (request.header("cookie") ?? "").split(";").flatMap((part) => {
    const equals = part.indexOf("=")
    return equals < 0 ? [] : [[part.slice(0, equals).trim(), part.slice(equals + 1).trim()] as const]
  })
  return Effect.succeed(jsonAnswer({ cookies: folded(pairs) }))
}

const cookieName = /^[\w!#$%&'*+.^`|~-]+$/

/**
 * Sets a cookie for each argument, one `Set-Cookie` line each, and redirects to `/cookies`. No `Path`: the default path
 * covers `/cookies` behind a prefix too, and no other prefix.
 */
export const setCookies: DemoHandler = (request) =>
  Effect.gen(function* () {
    const pairs = [...request.query]
    if (!pairs.every(([name]) => cookieName.test(name)))
      return yield* new DemoRefusal({ status: 400, detail: "The name of a cookie has to be a token (RFC 6265)." })
    const cookies = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    return { status: 302, fields: { Location: "../cookies", "Set-Cookie": cookies }, body: "" }
  })

/** Counts the bytes of the body without storing them. */
export const countUpload: DemoHandler = (request) =>
  request.body.pipe(
    Stream.runFold(0, (bytes, chunk) => bytes + chunk.length),
    Effect.map((bytes) => jsonAnswer({ bytes })),
  )
