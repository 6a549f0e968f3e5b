import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { Draining, SessionLimit, SessionNotFound } from "../../src/domain/ProxyError.js"
import * as Reading from "../../src/domain/Reading.js"
import { allowedOrigins, preflightReply, readableBy } from "../../src/wire/CrossOrigin.js"
import { firstValue, type RawFields } from "../../src/wire/HeaderFields.js"
import { errorReply, reply } from "../../src/wire/Reply.js"

const app = "https://app.example"
const gone = new SessionNotFound({ sessionId: "a" })

const rulesOf = (text: string) => {
  const origins = allowedOrigins(text)
  assert.isDefined(origins)
  return origins
}

const readable = (text: string, origin?: string): RawFields =>
  readableBy(errorReply(gone, "id"), rulesOf(text), origin === undefined ? [] : ["Origin", origin]).fields

/** `Access-Control-Allow-Origin`, and whether credentials may be sent. */
const allowedIn = (fields: RawFields) => [
  firstValue(fields, "access-control-allow-origin"),
  firstValue(fields, "access-control-allow-credentials"),
]

describe("origins", () => {
  it("are read as browsers write them, and as nothing else", () => {
    const right = [
      "off",
      "OFF",
      "*",
      app,
      `${app}, http://localhost:3000`,
      "*,http://[::1]:81",
      "capacitor://localhost",
    ]
    for (const text of right) assert.isTrue(Option.isSome(Reading.origins.read(text)), text)
    const wrong = [
      "",
      ",",
      "null",
      "app.example",
      `${app}/`,
      `${app}/x`,
      "https://App.example",
      `${app}:443`,
      "http://a:0",
    ]
    for (const text of [
      ...wrong,
      "off,*",
      "http://u@a",
      "http://a b",
      "http://a?",
      "http://*.example",
      "http://a:99999",
    ])
      assert.isTrue(Option.isNone(Reading.origins.read(text)), text)
    assert.deepStrictEqual(Reading.origins.read(` ${app} ,, *`), Option.some(`${app},*`))
  })
})

describe("an answer of the proxy's own", () => {
  it("is readable by scripts of listed origins, with credentials, and by any others without where any are allowed", () => {
    assert.deepStrictEqual(allowedIn(readable(app, app)), [app, "true"])
    assert.deepStrictEqual(allowedIn(readable(app, "https://other.example")), [undefined, undefined])
    assert.deepStrictEqual(allowedIn(readable(app)), [undefined, undefined])
    assert.deepStrictEqual(allowedIn(readable("*", app)), ["*", undefined])
    assert.deepStrictEqual(allowedIn(readable(`*,${app}`, app)), [app, "true"])
    assert.deepStrictEqual(allowedIn(readable(`*,${app}`, "null")), ["*", undefined])
  })

  it("says that it is another for other origins, also to those that may not read it", () => {
    for (const origin of [app, "https://other.example", undefined])
      assert.strictEqual(firstValue(readable(app, origin), "vary"), "Accept, Origin")
  })

  it("shows scripts the fields that are not a browser's to hide, where they may read it at all", () => {
    const names = "X-Request-Id, Retry-After, Proxy-Status"
    assert.strictEqual(firstValue(readable(app, app), "access-control-expose-headers"), names)
    assert.isUndefined(firstValue(readable(app, "null"), "access-control-expose-headers"))
  })

  it("that says itself who may read it is left alone", () => {
    const own = reply(403, ["Access-Control-Allow-Origin", "https://mine.example"], "")
    assert.strictEqual(readableBy(own, rulesOf("*"), ["Origin", app]), own)
  })
})

describe("a preflight that would end in an error", () => {
  const fields = ["Origin", app, "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "x-a,x-b"]
  const answerTo = (changes: Partial<{ text: string; method: string; fields: RawFields }> = {}) => {
    const asked = { text: app, method: "OPTIONS", fields, ...changes }
    return preflightReply(rulesOf(asked.text), asked.method, asked.fields, gone)
  }

  it("is answered so that the script may ask, and see the error; nobody keeps that", () => {
    const answer = answerTo()
    assert.strictEqual(answer?.status, 204)
    const names = ["allow-origin", "allow-credentials", "allow-methods", "allow-headers", "max-age"]
    assert.deepStrictEqual(
      names.map((name) => firstValue(answer?.fields ?? [], `access-control-${name}`)),
      [app, "true", "PATCH", "x-a,x-b", "0"],
    )
  })

  it("is no preflight without the method and the origin, or for another method", () => {
    assert.isUndefined(answerTo({ method: "GET" }))
    assert.isUndefined(answerTo({ fields: fields.slice(2) }))
    assert.isUndefined(answerTo({ fields: fields.slice(0, 2) }))
    assert.isUndefined(answerTo({ fields: ["Origin", app, "Access-Control-Request-Method", "\u00e4"] }))
    assert.isUndefined(answerTo({ fields: ["Origin", "null", ...fields.slice(2)] }))
  })

  it("is not answered where a server might answer what is asked behind it", () => {
    const asked = (error: Parameters<typeof preflightReply>[3]) =>
      preflightReply(rulesOf(app), "OPTIONS", fields, error)
    for (const error of [new SessionLimit({ detail: "" }), new Draining()]) assert.isUndefined(asked(error))
  })
})
