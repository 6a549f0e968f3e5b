import { describe, expect, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { flagsOf, fullName } from "../../src/cli/CommandDoc.js"
import { docs } from "../../src/cli/ProgramDoc.js"
import { runProgram } from "./Program.js"

/** What bash would offer for the last of these words. */
const offered = (script: string, ...words: ReadonlyArray<string>): ReadonlyArray<string> =>
  execFileSync(
    "bash",
    [
      "-c",
      `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ss_proxy; printf '%s\\n' "\${COMPREPLY[@]}"`,
      "bash",
      ...words,
    ],
    { encoding: "utf8" },
  )
    .trim()
    .split("\n")

describe("--completions", () => {
  it("completes commands, flags and values in bash", async () => {
    const { code, stdout, stderr } = await runProgram(["--completions", "bash"])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const below = (...above: ReadonlyArray<string>) =>
      docs.filter(({ path }) => path.length === above.length + 1 && above.every((word, at) => path[at] === word))
    const last = (found: typeof docs) => found.map(({ path }) => path.at(-1) ?? "").toSorted()
    expect(offered(stdout, "ss-proxy", "")).toEqual(expect.arrayContaining(last(below())))
    expect(offered(stdout, "ss-proxy", "sessions", "")).toEqual(expect.arrayContaining(last(below("sessions"))))
    for (const doc of docs) {
      const flags = flagsOf(doc).map(({ name }) => `--${name}`)
      expect(offered(stdout, "ss-proxy", ...doc.path, "--"), fullName(doc)).toEqual(expect.arrayContaining(flags))
    }
    expect(offered(stdout, "ss-proxy", "ses")).toEqual(["sessions"])
    expect(offered(stdout, "ss-proxy", "help", "sessions", "li")).toEqual(["list"])
    for (const words of [["ls"], ["sessions", "ls"]])
      expect(offered(stdout, "ss-proxy", ...words, "--pre")).toEqual(["--prefix"])
    expect(offered(stdout, "ss-proxy", "sessions", "s")).toEqual(["show", "set"])
    expect(offered(stdout, "ss-proxy", "sessions", "add", "--r")).toEqual(["--replace"])
    expect(offered(stdout, "ss-proxy", "run", "--ws-path", "")).toEqual(["append", "full", "strip"])
  })

  it.each(["zsh", "fish", "sh"])("has a script for %s", async (shell) => {
    const { code, stdout } = await runProgram(["--completions", shell])
    expect(code).toBe(0)
    expect(stdout).toContain("ss-proxy")
    expect(stdout).toMatch(/\bls\b/)
  })
})
