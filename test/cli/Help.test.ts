import { describe, expect, it } from "@effect/vitest"
import { runProgram } from "./Program.js"

const commands = [
  [],
  ["run"],
  ["sessions"],
  ["top"],
  ["errors"],
  ["explain"],
  ["check"],
  ["tail"],
  ...["add", "list", "show", "set", "remove", "import", "export"].map((name) => ["sessions", name]),
]

describe("--help", () => {
  it.each(commands.map((path) => [["ss-proxy", ...path].join(" "), path] as const))(
    "of %s teaches the command",
    async (name, path) => {
      const { code, stdout, stderr } = await runProgram([...path, "--help"])
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(stdout).toContain("Examples")
      await expect(stdout).toMatchFileSnapshot(`help/${name.replaceAll(" ", "-")}.txt`)
    },
  )

  it("names every variable next to its flag", async () => {
    const { stdout } = await runProgram(["run", "-h"])
    for (const name of ["HOST", "PORT", "DB_PATH", "TIMEOUT", "LOG_LEVEL", "DB", "CONNECT_TIMEOUT", "IDLE_TIMEOUT"])
      expect(stdout).toMatch(new RegExp(`env: SS_PROXY_${name}\\]`))
  })
})

describe("--version", () => {
  it.each([["--version"], ["-v"]])("answers %s with the version alone", async (flag) => {
    const { code, stdout, stderr } = await runProgram([flag])
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^ss-proxy \d+\.\d+\.\d+\n$/)
  })
})
