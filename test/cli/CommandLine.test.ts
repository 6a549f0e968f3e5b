import { describe, expect, it } from "@effect/vitest"
import { Either, FastCheck } from "effect"
import type { CommandDoc } from "../../src/cli/CommandDoc.js"
import { readCommandLine } from "../../src/cli/CommandLine.js"
import { runGroups } from "../../src/cli/ProgramFlags.js"
import { runDoc } from "../../src/cli/run/Run.js"
import { sessionsDocs } from "../../src/cli/Sessions.js"

const programDoc: CommandDoc = { path: [], summary: "", about: "", args: [], groups: runGroups, examples: [] }
const docs = [programDoc, runDoc, ...sessionsDocs]

const read = (...words: ReadonlyArray<string>) => readCommandLine(docs, words)

const wordsOf = (...words: ReadonlyArray<string>) => {
  const invocation = Either.getOrThrow(read(...words))
  return invocation._tag === "Command" ? invocation.words : invocation._tag
}

const messageOf = (...words: ReadonlyArray<string>) => {
  const { message, hint } = Either.getOrThrow(Either.flip(read(...words)))
  return hint === undefined ? message : `${message}; ${hint}`
}

describe("the command line", () => {
  it("reads a flag as the command that is named has it, wherever it stands", () => {
    expect(wordsOf("sessions", "list", "--live", "--json")).toEqual([
      "sessions",
      "list",
      "--live",
      "true",
      "--json",
      "true",
      "--",
    ])
    expect(wordsOf("--live", "p-1", "sessions", "kill")).toEqual(["sessions", "kill", "--live", "p-1", "--"])
  })

  it("runs the proxy when no command is named", () => {
    expect(wordsOf()).toEqual(["--"])
    expect(wordsOf("-p", "9000")).toEqual(["--port", "9000", "--"])
  })

  it.each([
    [["--port", "9000"]],
    [["--port=9000"]],
    [["-p", "9000"]],
    [["-p9000"]],
    [["-p=9000"]],
    [["--port", "1", "--port", "9000"]],
  ])("reads %j as a port", (words) => {
    expect(wordsOf("run", ...words)).toEqual(["run", "--port", "9000", "--"])
  })

  it("takes flags before, between and after the words of a command", () => {
    const expected = ["sessions", "add", "--db-path", "x.db", "--json", "true", "--", "a", "http://h:1"]
    expect(wordsOf("sessions", "add", "a", "http://h:1", "-d", "x.db", "--json")).toEqual(expected)
    expect(wordsOf("-d", "x.db", "sessions", "--json", "add", "a", "http://h:1")).toEqual(expected)
    expect(wordsOf("sessions", "add", "-d", "x.db", "a", "--json", "http://h:1")).toEqual(expected)
  })

  it.each([
    [
      ["ls", "--live"],
      ["sessions", "list", "--live", "true", "--"],
    ],
    [
      ["sessions", "ls", "--prefix", "rm"],
      ["sessions", "list", "--prefix", "rm", "--"],
    ],
    [
      ["-d", "x.db", "rm", "ls", "help"],
      ["sessions", "remove", "--db-path", "x.db", "--", "ls", "help"],
    ],
    [
      ["sessions", "rm", "--", "a"],
      ["sessions", "remove", "--", "a"],
    ],
    [
      ["sessions", "show", "ls"],
      ["sessions", "show", "--", "ls"],
    ],
    [["version"], "Version"],
  ])("reads %j as it would be in full", (words, full) => {
    expect(wordsOf(...words)).toEqual(full)
  })

  it.each([
    [["help"], []],
    [["help", "run"], ["run"]],
    [["help", "sessions"], ["sessions"]],
    [["sessions", "help"], ["sessions"]],
    [
      ["sessions", "help", "add"],
      ["sessions", "add"],
    ],
    [
      ["help", "sessions", "rm"],
      ["sessions", "remove"],
    ],
    [
      ["help", "ls"],
      ["sessions", "list"],
    ],
  ])("reads %j as a question for help", (words, path) => {
    expect(Either.getOrThrow(read(...words))).toMatchObject({ _tag: "Help", doc: { path } })
  })

  it("takes what follows -- as arguments, whatever it looks like", () => {
    expect(wordsOf("sessions", "remove", "--", "--json", "-x")).toEqual(["sessions", "remove", "--", "--json", "-x"])
  })

  it("tells -h and -H apart", () => {
    expect(wordsOf("-h")).toBe("Help")
    expect(wordsOf("-H", "::1")).toEqual(["--host", "::1", "--"])
  })

  it("keeps our log level out of the way of the one that @effect/cli has", () => {
    expect(wordsOf("run", "--log-level", "off")).toEqual(["run", "-l", "off", "--"])
  })

  it("answers --help and --version before it looks at anything else", () => {
    expect(read("sessions", "add", "--help")).toMatchObject({
      right: { _tag: "Help", doc: { path: ["sessions", "add"] } },
    })
    expect(wordsOf("sessions", "add", "--version")).toBe("Version")
  })

  it.each([
    [["--prot", "9"], "--prot is not a flag of ss-proxy; did you mean --port? Or see ss-proxy --help"],
    [
      ["sessions", "set", "a", "--host", "client"],
      "--host is not a flag of ss-proxy sessions set; did you mean --host-field? Or see ss-proxy sessions set --help",
    ],
    [
      ["run", "--trace=off"],
      "--trace is not a flag of ss-proxy run; did you mean --trace-context? Or see ss-proxy run --help",
    ],
    [["sessions", "lst"], '"lst" is not a command of ss-proxy sessions; did you mean ss-proxy sessions list?'],
    [["sesions", "list"], '"sesions" is not a command of ss-proxy; did you mean ss-proxy sessions?'],
    [["help", "sesions"], '"sesions" is not a command of ss-proxy; did you mean ss-proxy sessions?'],
    [["add", "a", "h:1"], '"add" is not a command of ss-proxy; did you mean ss-proxy sessions add?'],
    [["delete", "a"], '"delete" is not a command of ss-proxy; did you mean ss-proxy sessions remove?'],
    [["sessions", "get", "a"], '"get" is not a command of ss-proxy sessions; did you mean ss-proxy sessions show?'],
    [["frobnicate", "--hard"], '"frobnicate" is not a command of ss-proxy; see ss-proxy --help'],
    [["sessions"], "sessions needs a command; see ss-proxy sessions --help"],
    [["sessions", "add"], "sessions add needs ID; see ss-proxy sessions add --help"],
    [["sessions", "add", "a"], "sessions add needs URL; see ss-proxy sessions add --help"],
    [["sessions", "remove"], "sessions remove needs ID"],
    [["sessions", "show", "a", "b"], 'unexpected argument "b"'],
    [["run", "9000"], 'unexpected argument "9000"'],
    [["sessions", "list", "--port", "9"], "--port is not a flag of ss-proxy sessions list"],
    [["run", "--json"], "--json is not a flag of ss-proxy run"],
    [["--port"], "--port needs a value: --port PORT"],
    [["-p", "--host", "x"], "-p needs a value: -p PORT"],
    [["--wizard"], "--wizard is not a flag of ss-proxy"],
    [["--completions", "tcsh"], '--completions is "tcsh"; it must be one of bash, zsh, fish, sh'],
  ])("refuses %j and says why", (words, message) => {
    expect(messageOf(...words)).toContain(message)
  })

  it("brings any argument and any value through unchanged", () => {
    const flags = ["host", "db-path", "timeout", "db"]
    const value = FastCheck.string({ unit: "grapheme" })
    FastCheck.assert(
      FastCheck.property(FastCheck.dictionary(FastCheck.constantFrom(...flags), value), (given) => {
        const words = Object.entries(given).map(([name, value]) => `--${name}=${value}`)
        expect(wordsOf("run", ...words)).toEqual([
          "run",
          ...Object.entries(given).flatMap(([n, v]) => [`--${n}`, v]),
          "--",
        ])
      }),
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(value, { minLength: 1 }), (ids) => {
        expect(wordsOf("sessions", "remove", "--", ...ids)).toEqual(["sessions", "remove", "--", ...ids])
      }),
    )
  })
})
