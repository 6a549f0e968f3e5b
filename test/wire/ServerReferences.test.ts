import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import {
  type ClientView,
  originOf,
  referenceForClient,
  referenceForServer,
  refreshForClient,
} from "../../src/wire/ServerReferences.js"
import { fairNow } from "../support/FairClock.js"

const own = originOf("http", "10.0.0.7:9000")

const viewOf = (changes: Partial<ClientView> = {}): ClientView => ({
  base: "",
  prefix: "/alice",
  isOwn: (scheme, authority) => {
    const origin = originOf(scheme, authority)
    return origin?.hostname === own?.hostname && origin?.port === own?.port
  },
  ...changes,
})

const plain = viewOf()
const based = viewOf({ base: "/base" })
const rooted = viewOf({ prefix: "" })
const rootedBase = viewOf({ base: "/base", prefix: "" })

/** What a browser at `/alice/` of the proxy makes of it. */
const followed = (reference: string, from = "http://proxy.example/alice/"): URL | undefined =>
  URL.canParse(reference, from) ? new URL(reference, from) : undefined

describe("a reference of a server that knows no prefix", () => {
  const cases: ReadonlyArray<readonly [reference: string, forClient: string, view?: ClientView]> = [
    ["/", "/alice/"],
    ["/login?next=%2F", "/alice/login?next=%2F"],
    ["/a//b;c=%2f#top", "/alice/a//b;c=%2f#top"],
    ["/?q=//x", "/alice/?q=//x"],
    ["/alicex", "/alice/alicex"],
    ["/a b", "/alice/a b"],
    ["http://10.0.0.7:9000/x?y#z", "/alice/x?y#z"],
    ["http://10.0.0.7:9000", "/alice/"],
    ["http://10.0.0.7:9000?q", "/alice/?q"],
    ["HTTPS://10.0.0.7:9000/x", "/alice/x"],
    ["ws://10.0.0.7:9000/x", "/alice/x"],
    ["http://10.0.0.7:9000//evil.example/", "/alice//evil.example/"],
    ["/base/x", "/alice/x", based],
    ["/base", "/alice", based],
    ["/base?q", "/alice?q", based],
    ["/base/", "/alice/", based],
    ["http://10.0.0.7:9000/base/x", "/alice/x", based],
    ["http://10.0.0.7:9000/base/x", "/x", rootedBase],
    ["/base", "/", rootedBase],
    ["/base?q", "/?q", rootedBase],
    ["http://10.0.0.7:9000/x", "/x", rooted],
    ["http://10.0.0.7:9000//evil.example", "/.//evil.example", rooted],
    ["/base//evil.example", "/.//evil.example", rootedBase],
    ["/base/\\evil.example", "/./\\evil.example", rootedBase],
    ["http://10.0.0.7:9000/alice/x", "/alice/x"],
  ]
  for (const [reference, forClient, view = plain] of cases)
    it(`comes back under the client's path: ${JSON.stringify(reference)} is ${forClient}`, () => {
      assert.strictEqual(referenceForClient(reference, view), forClient)
    })

  const untouched: ReadonlyArray<readonly [reference: string, view?: ClientView]> = [
    [""],
    ["x"],
    ["../x"],
    ["?q"],
    ["#f"],
    ["//10.0.0.7:9000/x"],
    ["/\\evil.example"],
    ["/\t/evil.example"],
    ["\t//evil.example"],
    ["http://evil.example/x"],
    ["http://10.0.0.7/x"],
    ["http://10.0.0.7:90000/x"],
    ["http://10.0.0.7:9001/x"],
    ["http://10.0.0.7:9000@evil.example/x"],
    ["http://user@10.0.0.7:9000/x"],
    ["http://10.0.0.7:9000\\@evil.example/x"],
    ["http:\\\\10.0.0.7:9000/x"],
    ["http:/10.0.0.7:9000/x"],
    ["http:///10.0.0.7:9000/x"],
    ["http://"],
    ["http://[::1/x"],
    ["ftp://10.0.0.7:9000/x"],
    ["mailto:a@b"],
    ["/alice"],
    ["/alice/x"],
    ["/alice?q"],
    ["/alice#f"],
    ["/basement", based],
    ["/x", based],
    ["/", based],
    ["http://10.0.0.7:9000/x", based],
    ["/x", rooted],
  ]
  for (const [reference, view = plain] of untouched)
    it(`is left alone where it is no such: ${JSON.stringify(reference)}`, () => {
      assert.strictEqual(referenceForClient(reference, view), reference)
    })

  it("never leads a browser to another host than before, but from the server's own address to the proxy", () => {
    const piece = fc.constantFrom(
      ..."/\\:@?#.\t ",
      "//",
      "http:",
      "https://",
      "evil.example",
      "10.0.0.7:9000",
      "10.0.0.7",
      "/base",
      "/alice",
      "%2f",
      "..",
      "[::1]",
    )
    const reference = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""))
    fc.assert(
      fc.property(reference, fc.constantFrom(plain, based, rooted, rootedBase), (text, view) => {
        const before = followed(text)
        const after = followed(referenceForClient(text, view))
        if (before?.host === after?.host) return
        assert.strictEqual(before?.host, "10.0.0.7:9000")
        assert.strictEqual(after?.host, "proxy.example")
      }),
      { numRuns: 5_000 },
    )
  })

  it("is not looked at for long, whatever its length", () => {
    for (const long of ["/", "//", "http://", "http://a", " ", "1", ";", "url=", "@", "\\"].map((one) =>
      one.repeat(65_536),
    )) {
      const from = fairNow()
      referenceForClient(long, plain)
      refreshForClient(long, plain)
      refreshForClient(`0;url=${long}`, plain)
      assert.isBelow(fairNow() - from, 1_000)
    }
  })
})

describe("a Refresh field", () => {
  const cases: ReadonlyArray<readonly [value: string, forClient: string]> = [
    ["5", "5"],
    ["5;url=/x", "5;url=/alice/x"],
    ["0; URL='/x'", "0; URL='/alice/x'"],
    ['0, url = "/x"; more', '0, url = "/alice/x"; more'],
    ["0.5 /x", "0.5 /alice/x"],
    ["5;/x", "5;/alice/x"],
    ["5; url=http://10.0.0.7:9000/x", "5; url=/alice/x"],
    ["5; url=//evil.example", "5; url=//evil.example"],
    ["5; url='//evil.example", "5; url='//evil.example"],
    ["5; url=", "5; url="],
    ["5; url=x", "5; url=x"],
    ["/x", "/x"],
    ["soon; url=/x", "soon; url=/x"],
  ]
  for (const [value, forClient] of cases)
    it(`has its reference changed and nothing else: ${value}`, () => {
      assert.strictEqual(refreshForClient(value, plain), forClient)
    })
})

describe("the destination that a client names", () => {
  const forServer = (reference: string, base = "", prefix = "/alice") =>
    referenceForServer(reference, {
      base,
      prefix,
      isOfProxy: (scheme, authority) => `${scheme}://${authority}` === "http://proxy.example",
      address: "http://10.0.0.7:9000",
    })

  it("is the server's own where it is below the session", () => {
    assert.strictEqual(forServer("http://proxy.example/alice/b%20c?d"), "http://10.0.0.7:9000/b%20c?d")
    assert.strictEqual(forServer("/alice/b"), "/b")
    assert.strictEqual(forServer("/alice"), "/")
    assert.strictEqual(forServer("/alice//b"), "/.//b")
    assert.strictEqual(forServer("http://proxy.example/alice//b"), "http://10.0.0.7:9000//b")
    assert.strictEqual(forServer("http://proxy.example/alice/b", "/base"), "http://10.0.0.7:9000/base/b")
    assert.strictEqual(forServer("http://proxy.example/b", "/base", ""), "http://10.0.0.7:9000/base/b")
  })

  it("is as it was where it is another session's, or another host's", () => {
    for (const reference of [
      "/bob/b",
      "/alicex",
      "http://proxy.example/bob/b",
      "http://other.example/alice/b",
      "//h/alice",
      "b",
    ])
      assert.strictEqual(forServer(reference), reference)
  })
})
