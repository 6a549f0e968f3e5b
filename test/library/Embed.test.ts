import { spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface, type Interface } from "node:readline"
import { afterEach, describe, expect, it } from "vitest"
import { blocksOf, root, textOf } from "../docs/Blocks.js"

const cleanups: Array<() => void> = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup()
})

/** Runs docs/examples/embed.mjs as a reader does: in a folder of its own, where ss-proxy is installed. */
const startEmbed = () => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-embed-"))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(root, join(folder, "node_modules/ss-proxy"))
  copyFileSync(join(root, "docs/examples/embed.mjs"), join(folder, "embed.mjs"))
  const env = { ...process.env, PORT: "0" }
  const child = spawn(process.execPath, ["embed.mjs"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] })
  cleanups.push(() => void child.kill("SIGKILL"))
  return { child, output: createInterface(child.stdout) }
}

const nextLine = async (output: Interface): Promise<string> => String((await once(output, "line"))[0])

describe("docs/examples/embed.mjs", () => {
  it("is shown in LIBRARY.md as it is", () => {
    const shown = blocksOf("docs/LIBRARY.md").filter(({ language }) => language === "js")
    expect(shown.map(({ text }) => text)).toEqual([textOf("docs/examples/embed.mjs")])
  })

  it("lets users in to their own sessions, tells of requests, and ends by itself after SIGTERM", async () => {
    const { child, output } = startEmbed()
    const ended = once(child, "exit")
    const url = (await nextLine(output)).replace("ready at ", "")
    const ask = async (token: string): Promise<string> => {
      const told = nextLine(output)
      const answer = await fetch(`${url}/alice/hello`, { headers: { Authorization: `Bearer ${token}` } })
      return `${answer.status} ${await answer.text()}${await told}`
    }
    expect(await ask("token-of-alice")).toBe("200 Hello alice, you asked for /hello\nGET for alice: 200")
    expect(await ask("token-of-bob")).toBe("401 Who are you?\nGET for alice: 401")
    child.kill("SIGTERM")
    expect(await ended).toEqual([0, null])
  })
})
