import { execFileSync } from "node:child_process"
import { describe, expect, it } from "vitest"
import { programName, quoted } from "../../src/cli/ProgramName.js"

describe("a command line to copy begins with", () => {
  it.each([
    ["npx ss-proxy", "where npm has installed it", "/home/me/app/node_modules/.bin/ss-proxy", "/home/me/app"],
    ["npx ss-proxy", "in a folder below that", "/home/me/app/node_modules/.bin/ss-proxy", "/home/me/app/data"],
    [
      "ss-proxy",
      "elsewhere, where npx would ask the registry",
      "/home/me/app/node_modules/.bin/ss-proxy",
      "/home/me/other",
    ],
    ["ss-proxy", "where it is installed for the machine", "/usr/local/bin/ss-proxy", "/home/me/app"],
  ])("%s %s", (name, _, script, folder) => {
    expect(programName(script, folder)).toBe(name)
  })
})

describe("a path in such a command line", () => {
  it.each(["./sessions.db", "/my files/a.db", "it's $HOME.db", "a;b*"])("is one word for a shell: %s", (path) => {
    expect(execFileSync("sh", ["-c", `printf %s ${quoted(path)}`], { encoding: "utf8" })).toBe(path)
  })
})
