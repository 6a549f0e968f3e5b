import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { confinedCookie, cookieName, cookieOfName, type CookieView, isOfWholeHost } from "../../src/wire/SetCookie.js"

const viewOf = (changes: Partial<CookieView> = {}): CookieView => ({
  base: "",
  prefix: "/alice",
  defaultIsBelow: true,
  ...changes,
})

const plain = viewOf()
/** The client has asked for `/alice` itself: a browser's default would be `/`. */
const atRoot = viewOf({ defaultIsBelow: false })
const based = viewOf({ base: "/base" })

/** What a browser keeps of a cookie (RFC 6265bis section 5.7), asked for at this path. */
const kept = (cookie: string, requestPath: string): { readonly path: string; readonly domain: string } => {
  const slash = requestPath.lastIndexOf("/")
  const fallback = slash <= 0 ? "/" : requestPath.slice(0, slash)
  const found = { path: fallback, domain: "" }
  for (const text of cookie.split(";").slice(1)) {
    const [name = "", ...value] = text.split("=")
    const key = name.replace(/^[\t ]+|[\t ]+$/g, "").toLowerCase()
    const said = value.join("=").replace(/^[\t ]+|[\t ]+$/g, "")
    if (said.length > 1_024) continue
    if (key === "path") found.path = said.startsWith("/") ? said : fallback
    if (key === "domain") found.domain = said
  }
  return found
}

const isBelow = (path: string, top: string): boolean => path === top || path.startsWith(`${top}/`)

describe("a cookie that is confined", () => {
  const cases: ReadonlyArray<readonly [cookie: string, confined: string | undefined, view?: CookieView]> = [
    ["a=1; Path=/", "a=1; Path=/alice"],
    ["a=1; Path=/x", "a=1; Path=/alice/x"],
    ["a=1; Path=/x/", "a=1; Path=/alice/x/"],
    ["a=1;path=/", "a=1;path=/alice"],
    ["a=1 ;\tPATH =  /x  ; HttpOnly", "a=1 ;\tPATH =  /alice/x  ; HttpOnly"],
    ["a=1; Path=/alice", "a=1; Path=/alice"],
    ["a=1; Path=/alice/x", "a=1; Path=/alice/x"],
    ["a=1; Path=/alicex", "a=1; Path=/alice/alicex"],
    ["a=1; Domain=example.com; Path=/; Secure", "a=1; Path=/alice; Secure"],
    ["a=1; domain = .example.com", "a=1"],
    ["a=1; Domain; Domain=; Secure", "a=1; Secure"],
    ["a=1", "a=1"],
    ["a=1", "a=1; Path=/alice", atRoot],
    ["a=1; Path", "a=1; Path"],
    ["a=1; Path; Secure", "a=1; Path=/alice; Secure", atRoot],
    ['a=1; Path="/"', 'a=1; Path="/"'],
    ['a=1; Path="/"', "a=1; Path=/alice", atRoot],
    ["a=1; Path=/x; Path=y", "a=1; Path=/alice/x; Path=/alice", atRoot],
    ["a=1; Path=/x; Path=/", "a=1; Path=/alice/x; Path=/alice"],
    ["a=Path=/; Path2=/; XPath=/", "a=Path=/; Path2=/; XPath=/"],
    ['a="x; Path=/', 'a="x; Path=/alice'],
    ["a=1; Path=\u00a0/x", "a=1; Path=\u00a0/x"],
    ["a=1; Path\u00a0=/x", "a=1; Path\u00a0=/x; Path=/alice", atRoot],
    ["; Path=/", "; Path=/alice"],
    ["", ""],
    [
      "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=0; Path=/; SameSite=None; Partitioned",
      "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=0; Path=/alice; SameSite=None; Partitioned",
    ],
    ["a=1; Path=/base", "a=1; Path=/alice", based],
    ["a=1; Path=/base/", "a=1; Path=/alice/", based],
    ["a=1; Path=/base/x", "a=1; Path=/alice/x", based],
    ["a=1; Path=/", "a=1; Path=/alice", based],
    ["a=1; Path=/basement", "a=1; Path=/alice/basement", based],
    ["a=1; Path=/base/x", "a=1; Path=/x", viewOf({ base: "/base", prefix: "" })],
    ["a=1; Path=/base", "a=1; Path=/", viewOf({ base: "/base", prefix: "" })],
    ["a=1; Path=/; Secure", "a=1; Secure", viewOf({ prefix: "/a;b" })],
    ["a=1; Path=/; Secure", undefined, viewOf({ prefix: "/a;b", defaultIsBelow: false })],
  ]
  for (const [cookie, confined, view = plain] of cases)
    it(`is for its session alone: ${JSON.stringify(cookie)} at ${JSON.stringify(view)}`, () => {
      assert.strictEqual(confinedCookie(cookie, view), confined)
    })

  const piece = fc.constantFrom(
    ...'=/; \t"a,',
    "Path",
    "path=",
    "PATH =",
    "Domain=",
    "domain = .example.com",
    ";",
    "; ",
    "/alice",
    "/base",
    "/bob",
    "..",
    "x".repeat(1_020),
    "Secure",
  )
  const cookies = fc.array(piece, { maxLength: 12 }).map((pieces) => `a=1${pieces.join("")}`)
  const requests = fc.constantFrom("", "/", "/x", "/x/y")
  const views = fc.record({
    base: fc.constantFrom("", "/base"),
    prefix: fc.constantFrom("/alice", "/outer/alice", "/a;b"),
  })

  it("is kept by a browser below the session's path, without a domain, whatever its attributes are", () => {
    fc.assert(
      fc.property(cookies, requests, views, (cookie, rest, { base, prefix }) => {
        const confined = confinedCookie(cookie, { base, prefix, defaultIsBelow: rest !== "" })
        if (confined === undefined) return assert.deepStrictEqual([prefix, rest], ["/a;b", ""])
        const { domain, path } = kept(confined, prefix + rest)
        assert.strictEqual(domain, "")
        assert.isTrue(isBelow(path, prefix), `${cookie} became ${confined} with the path ${path}`)
      }),
      { numRuns: 5_000 },
    )
  })

  it("stays as it is, byte for byte, but for its path and its domain", () => {
    const others = (cookie: string) =>
      cookie.split(";").filter((text, index) => index === 0 || !/^[\t ]*(?:path|domain)[\t ]*(?:=|$)/i.test(text))
    fc.assert(
      fc.property(cookies, (cookie) => {
        assert.deepStrictEqual(others(confinedCookie(cookie, plain) ?? ""), others(cookie))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("the name of a cookie", () => {
  it("is what stands before the first equals sign of its pair", () => {
    for (const [cookie, name] of [
      ["a=b=c; d=e", "a"],
      [" a =b", "a"],
      ["a; b=c", ""],
      ["=a", ""],
      ["\u00a0a\u00a0=b", "\u00a0a\u00a0"],
    ] as const)
      assert.strictEqual(cookieName(cookie), name)
  })

  it("may bind it to the whole host, in any case", () => {
    for (const cookie of ["__Host-a=1", "__HOST-a=1; Path=/", " __host-=1"])
      assert.isTrue(isOfWholeHost(cookie), cookie)
    for (const cookie of ["__Secure-a=1", "a=__Host-a", "__Hosta=1", "\u00a0__Host-a=1"])
      assert.isFalse(isOfWholeHost(cookie), cookie)
  })
})

describe("a cookie of a session with a name of its own", () => {
  const host = "alice.apps.example.com"
  const cases: ReadonlyArray<readonly [cookie: string, forClient: string]> = [
    ["a=1; Domain=apps.example.com; Path=/", "a=1; Path=/"],
    ["a=1; domain = .APPS.example.com ", "a=1"],
    ["a=1; Domain=example.com; Domain=alice.apps.example.com", "a=1; Domain=alice.apps.example.com"],
    ["a=1; Domain=com", "a=1"],
    ["a=1; Domain=apps.example.com.", "a=1"],
    ["a=1; Domain=alice.apps.example.com; Path=/", "a=1; Domain=alice.apps.example.com; Path=/"],
    ["a=1; Domain=evilapps.example.com", "a=1; Domain=evilapps.example.com"],
    ["a=1; Domain=; Path=x", "a=1; Domain=; Path=x"],
    ["a=Domain=example.com", "a=Domain=example.com"],
  ]
  for (const [cookie, forClient] of cases)
    it(`has no domain above that name: ${cookie}`, () => {
      assert.strictEqual(cookieOfName(cookie, host), forClient)
    })
})
