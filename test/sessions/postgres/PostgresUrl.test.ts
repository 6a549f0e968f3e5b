import { describe, expect, it } from "@effect/vitest"
import { Either, Redacted } from "effect"
import * as fc from "fast-check"
import { passwordIn } from "../../../src/sessions/postgres/PasswordFile.js"
import { hostText, type PostgresPlace, placeText, tlsModes } from "../../../src/sessions/postgres/PostgresPlace.js"
import { parsePostgresUrl } from "../../../src/sessions/postgres/PostgresUrl.js"

const nowhere = { variables: {}, userName: "me", home: "/home/me", socketFolder: "/run/pg" }
const parse = (url: string, variables: Readonly<Record<string, string>> = {}) =>
  parsePostgresUrl(url, { ...nowhere, variables })
const placeOf = (url: string, variables: Readonly<Record<string, string>> = {}) =>
  Either.getOrThrowWith(parse(url, variables), (problem) => new Error(problem))
const problemOf = (url: string, variables: Readonly<Record<string, string>> = {}) =>
  Either.getOrThrow(Either.flip(parse(url, variables)))
const passwordOf = ({ password }: PostgresPlace) => (password === undefined ? undefined : Redacted.value(password))

describe("a URL of a PostgreSQL database", () => {
  it("says where it is, and who asks", () => {
    const place = placeOf("postgresql://al%40ice:p%3Ass%2Fword@db.example:5433/my%20db")
    expect(place).toMatchObject({
      hosts: [{ host: "db.example", port: 5433 }],
      user: "al@ice",
      database: "my db",
      schema: "public",
      applicationName: "ss-proxy",
      connectTimeout: 2_000,
      sessionKind: "read-write",
      tls: { mode: "prefer" },
    })
    expect(passwordOf(place)).toBe("p:ss/word")
  })

  it("may have several hosts, addresses of IPv6, and folders of sockets", () => {
    const { hosts } = placeOf("postgres://a,b:7,[::1]:8,%2Ftmp%2Fpg/d?port=6")
    expect(hosts.map(hostText)).toEqual(["a:6", "b:7", "[::1]:8", "/tmp/pg/.s.PGSQL.6"])
    expect(placeOf("postgres:///d?host=/tmp/a,b&port=1,2").hosts.map(hostText)).toEqual(["/tmp/a/.s.PGSQL.1", "b:2"])
    expect(problemOf("postgres:///d?host=a,b,c&port=1,2")).toContain("number of ports")
  })

  it("leaves open what libpq's variables say", () => {
    const place = placeOf("postgres://", {
      PGHOST: "h",
      PGPORT: "9",
      PGUSER: "u",
      PGPASSWORD: "w",
      PGSSLMODE: "require",
    })
    expect(place).toMatchObject({ hosts: [{ host: "h", port: 9 }], user: "u", database: "u", tls: { mode: "require" } })
    expect(passwordOf(place)).toBe("w")
    expect(placeOf("postgres://")).toMatchObject({
      hosts: [{ host: "/run/pg", port: 5432 }],
      user: "me",
      database: "me",
      passwordFile: "/home/me/.pgpass",
    })
    expect(placeOf("postgres://h/d", { PGHOST: "x", PGDATABASE: "y", PGUSER: "", PGPASSFILE: "/p" })).toMatchObject({
      hosts: [{ host: "h" }],
      database: "d",
      user: "me",
      passwordFile: "/p",
    })
  })

  it("may name its schema as such, or as the first of a search path, and nothing else as an option", () => {
    expect(placeOf("postgres://h/d?schema=routing").schema).toBe("routing")
    for (const options of ["-csearch_path=a,public", "-c search_path=a", "--search_path=a"])
      expect(placeOf(`postgres://h/d?options=${encodeURIComponent(options)}`).schema).toBe("a")
    expect(problemOf("postgres://h/d?options=-cwork_mem%3D1")).toContain("options may only be")
    expect(problemOf(`postgres://h/d?schema=${"x".repeat(51)}`)).toContain("longer than 50 bytes")
  })

  it("is refused where a parameter says what is not known", () => {
    expect(problemOf("postgres://h/d?pool=1")).toContain("the parameter pool is not known")
    expect(problemOf("postgres://h/d?sslmode=maybe")).toBe(`sslmode must be one of ${tlsModes.join(", ")}`)
    expect(problemOf("postgres://h/d?target_session_attrs=standby")).toContain("read-write, any")
    expect(problemOf("postgres://h/d?connect_timeout=0")).toContain("connect_timeout must be")
    expect(problemOf("postgres://h/d?user=a&user=b")).toContain("twice")
    expect(problemOf("postgres://h/%00")).toContain("U+0000")
  })

  it("never comes back with its password, or a part of it, in what is wrong with it", () => {
    const secret = fc.stringMatching(/^[ -~]{6,20}$/).filter((text) => /[^a-z0-9 ]/.test(text))
    const around = "postgres://us:@h/db?x=1"
    fc.assert(
      fc.property(secret, fc.constantFrom("@h/db", "@h:99/db", "@h,i/db?sslmode=no"), (password, rest) => {
        const parsed = parse(`postgres://us:${password}${rest}`)
        if (Either.isRight(parsed)) {
          // What was read is the whole password, and no part of it is anything else.
          const raw = decodeURIComponent(password)
          return passwordOf(parsed.right) === raw && parsed.right.hosts.every(({ host }) => /^[hi]$/.test(host))
        }
        for (let at = 0; at + 6 <= password.length; at++) {
          const piece = password.slice(at, at + 6)
          if (parsed.left.includes(piece) && !around.includes(piece)) return /^[a-z _]+$/i.test(piece)
        }
        return true
      }),
    )
  })

  it("is the same place when it is written and read again, but for the password", () => {
    const name = fc.string({ minLength: 1, maxLength: 12, unit: "grapheme" }).filter((text) => !text.includes("\0"))
    const host = fc.record({
      host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.constant("/var/run/pg:x")),
      port: fc.integer({ min: 1, max: 65_535 }),
    })
    fc.assert(
      fc.property(name, name, fc.array(host, { minLength: 1, maxLength: 3 }), (user, database, hosts) => {
        const place = { ...placeOf("postgres://h/d"), user, database, hosts }
        expect(placeOf(placeText(place))).toEqual(place)
        expect(placeText({ ...place, password: Redacted.make("secret") })).toBe(placeText(place))
      }),
    )
  })
})

describe("a password file of PostgreSQL", () => {
  const server = { host: "db", port: 5432 }
  const who = { database: "d", user: "u" }

  it("has the password in the first line that fits", () => {
    const text = "# a comment\nother:5432:d:u:no\ndb:*:d:u:first\\:\\\\one\n*:*:*:*:last\n"
    expect(passwordIn(text, server, who)).toBe("first:\\one")
    expect(passwordIn(text, { ...server, host: "x" }, who)).toBe("last")
    expect(passwordIn("db:5432:d:other:no\r\n", server, who)).toBeUndefined()
  })

  it("means a server on this machine by its folder, or by localhost", () => {
    for (const name of ["localhost", "/run/pg"])
      expect(passwordIn(`${name}:5432:d:u:yes`, { host: "/run/pg", port: 5432 }, who)).toBe("yes")
  })
})
