import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Either, Option } from "effect"
import { parseCsvRecord, renderCsvRecord } from "../../src/transfer/Csv.js"
import { guessFormat } from "../../src/cli/sessions/FileFormat.js"
import { RecordSplitter } from "../../src/transfer/RecordSplitter.js"
import { type PlacedStep, SessionLines } from "../../src/transfer/SessionLines.js"
import { sessionWriter } from "../../src/cli/sessions/SessionWriter.js"
import { parseSessionFile } from "../../src/cli/sessions/SessionFile.js"
import { policyRows } from "../../src/domain/Policies.js"
import { Session } from "../../src/domain/Session.js"
import { defaultPolicy, policyOfColumns } from "../../src/domain/SessionPolicy.js"
import { AddressGuard } from "../../src/downstream/AddressGuard.js"
import { Effect } from "effect"

const longestRecord = 1_000
const guard = new AddressGuard({ denyDownstream: [], allowDownstream: [] })

/** The records of bytes that come in pieces of this size. */
const split = (bytes: Buffer, size: number, quotes: boolean) => {
  const splitter = new RecordSplitter(quotes, longestRecord)
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  )
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.finish()]
}

const read = (text: string | Buffer, format: "ndjson" | "csv", size = 7) => {
  const lines = new SessionLines(format, guard)
  return split(Buffer.from(text), size, lines.quotes).flatMap((record): ReadonlyArray<string | PlacedStep> => {
    const found = lines.read(record)
    return Either.isLeft(found)
      ? [`line ${found.left.line}: ${found.left.problem}`]
      : found.right === undefined
        ? []
        : [found.right]
  })
}

const fields = fc.array(
  fc.option(fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: fc.constantFrom(...'"\r\n, a=@\0\uFEFF\t') })), {
    nil: undefined,
  }),
  { minLength: 2, maxLength: 6 },
)

describe("records of CSV", () => {
  it("come back as they were written, whatever they hold and however they arrive", () => {
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (rows, size) => {
        const bytes = Buffer.from(`\uFEFF${rows.map(renderCsvRecord).join("")}`)
        const found = split(bytes, size, true).map(({ text }) => Either.flatMap(text, parseCsvRecord))
        expect(found).toEqual(rows.map((row) => Either.right(row)))
      }),
    )
  })

  it.each([
    ["a,b", ["a", "b"]],
    [",", [undefined, undefined]],
    ['"",""""', ["", '"']],
    ["=1+2,@x,-3,+4", ["=1+2", "@x", "-3", "+4"]],
  ])("%j has the fields that RFC 4180 says", (text, expected) => {
    expect(parseCsvRecord(text)).toEqual(Either.right(expected))
  })

  it.each(['a"b,c', '"a"b', '"a'])("%j is refused", (text) => {
    expect(Either.isLeft(parseCsvRecord(text))).toBe(true)
  })

  it("that are broken do not take those behind them along", () => {
    const found = split(Buffer.from('a"b,c\n"d"e,f\nh,i\n"j'), 3, true)
    expect(found.map(({ line }) => line)).toEqual([1, 2, 3, 4])
    expect(found.at(-1)?.text).toEqual(Either.left("its quotation mark is not closed"))
  })

  it("say the line that they begin at", () => {
    expect(split(Buffer.from('"a\n\nb",c\r\nd,e\n'), 2, true).map(({ line }) => line)).toEqual([1, 4])
  })
})

describe("a line", () => {
  it("that is longer than one may be is not kept, and those behind it are read", () => {
    const splitter = new RecordSplitter(false, longestRecord)
    const piece = Buffer.alloc(65_536, "x")
    for (let at = 0; at < 64; at++) expect(splitter.push(piece)).toEqual([])
    expect(splitter.push(Buffer.from("x\nnext\n"))).toEqual([
      { line: 1, text: Either.left(`it is longer than ${longestRecord} bytes`) },
      { line: 2, text: Either.right("next") },
    ])
  })

  it("that is not UTF-8 is named", () => {
    expect(read(Buffer.concat([Buffer.from('{"id":"'), Buffer.of(0xff), Buffer.from('"}\n')]), "ndjson")).toEqual([
      "line 1: it is not UTF-8",
    ])
  })
})

describe("an entry", () => {
  it("may remove a session, in either format", () => {
    const step = { _tag: "Remove", id: "a" }
    expect(read('{"id":"a","remove":true}', "ndjson")).toEqual([{ line: 1, step }])
    expect(read("id,url,remove\na,,yes\n", "csv")).toEqual([{ line: 2, step }])
    expect(read('{"id":"a","remove":"x"}\n{"remove":true}', "ndjson")).toEqual([
      'line 1: "remove" must be true or false',
      'line 2: "id" must be a text that is not empty',
    ])
  })

  it("of CSV has the defaults where a field is empty, and not where it is quoted", () => {
    const session = { id: "a", url: "h:1", policy: defaultPolicy }
    expect(read('id,url,status,insecure\na,h:1,,\na,h:1,"",TRUE\n', "csv")).toEqual([
      { line: 2, step: { _tag: "Put", session: { ...session, status: "active" } } },
      {
        line: 3,
        step: { _tag: "Put", session: { ...session, status: "", policy: { ...defaultPolicy, insecure: true } } },
      },
    ])
  })

  it("of CSV is refused where its header line or its fields are wrong", () => {
    expect(read("name;url\n", "csv")[0]).toContain('has no column "id"')
    expect(read("id,colour\n", "csv")).toEqual(['line 1: "colour" is no field of a session'])
    expect(read("id,url,id\n", "csv")).toEqual(['line 1: the column "id" stands twice'])
    expect(read("id,url\na\n", "csv")).toEqual(["line 2: it has 1 fields, and the header line 2"])
    expect(read("id,url,insecure\na,h:1,perhaps\n", "csv")).toEqual(['line 2: "insecure" must be true or false'])
  })
})

describe("the format of a file", () => {
  it.each([
    ["a.csv", "{", "csv"],
    ["a.jsonl", "", "ndjson"],
    ["a.json", ' {"id"', "ndjson"],
    ["a.json", "hello", "json"],
    ["", " [", "json"],
    ["", "", "json"],
    ["", "id,url\n", "csv"],
    ["", 'url,"id"\r\n', "csv"],
    ["", "hello, id there\n", "ndjson"],
  ])("named %j that begins with %j is %s", (name, beginning, format) => {
    expect(guessFormat(name, beginning)).toBe(format)
  })
})

describe("what export writes", () => {
  const hostile = fc
    .oneof(
      fc.string({ unit: "binary", minLength: 1 }),
      fc.constantFrom("=1+1", "a\0b", "..", '"', "a\r\nb", "\uFEFFx", " a "),
    )
    .filter((id) => !["health", "ws", ""].includes(id))
  // What columns may hold; each policy takes what it can read.
  const texts = ["0", "1", "0.5", "30", "64k"]
  const policy = fc
    .record(
      Object.fromEntries(
        Object.entries(policyRows).map(([name, { read, reading }]) => {
          const valid = [...texts, ...(reading.choices ?? [])].filter((text) => Option.isSome(read(text)))
          return [name, fc.constantFrom(null, ...valid)]
        }),
      ),
    )
    .map(policyOfColumns)
  const sessions = fc.array(
    fc.record({
      id: hostile,
      url: fc.constantFrom("http://u:p%40@h:1/a,b", 'h/%22"x', "https://[::1]:8/ü", "h/;x=1"),
      status: fc.string({ unit: "binary" }),
      policy,
    }),
    { maxLength: 8 },
  )
  const unique = (list: ReadonlyArray<{ readonly id: string }>) =>
    new Set(list.map(({ id }) => id)).size === list.length

  it.each(["json", "ndjson", "csv"] as const)("is what import reads: %s", async (format) => {
    await fc.assert(
      fc.asyncProperty(sessions.filter(unique), async (given) => {
        const writer = sessionWriter(format, false)
        const stored = given.map((session) => new Session({ ...session, createdAt: "x", updatedAt: null }))
        const text = (stored.length === 0 ? "" : writer.page(stored)) + writer.end()
        const found =
          format === "json"
            ? (await Effect.runPromise(parseSessionFile(text, guard))).map((session) => ({ _tag: "Put", session }))
            : read(text, format).map((entry) => (typeof entry === "string" ? entry : entry.step))
        expect(found).toEqual(given.map((session) => ({ _tag: "Put", session })))
      }),
      { numRuns: 200 },
    )
  })
})
