import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { ProjectCopy } from "../support/ProjectCopy.js"

/** `npm run dev` on a copy of the sources. */
const startDev = (copy: ProjectCopy) => {
  const args = [join(copy.folder, "scripts", "dev.mjs"), "--port", "0", "--host", "127.0.0.1"]
  const child = spawn(process.execPath, args, { cwd: copy.folder, stdio: ["ignore", "ignore", "pipe"] })
  let said = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  onTestFinished(async () => {
    child.kill("SIGTERM")
    await ended
  })
  return {
    ended,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    /** Waits for words, and gives what stands before them; says no more of that later. */
    says: async (words: RegExp): Promise<string> => {
      for (;;) {
        const match = words.exec(said)
        if (match !== null) {
          said = said.slice(match.index + match[0].length)
          return match[1] ?? ""
        }
        await Promise.race([
          once(child.stderr, "data"),
          ended.then((code) => Promise.reject(new Error(`it ended with ${String(code)}: ${said}`))),
        ])
      }
    },
  }
}

const listening = /listening on (http:\/\/\S+?);/

describe("npm run dev", () => {
  it("runs the program anew when a source changes, keeps it where one does not compile, and stops on Ctrl-C", async () => {
    const copy = new ProjectCopy()
    onTestFinished(() => copy.remove())
    const dev = startDev(copy)
    const first = await dev.says(listening)
    expect((await fetch(`${first}/demo/get`)).status).toBe(200)

    const file = "src/wire/Reply.ts"
    const source = copy.read(file)
    copy.write(file, `${source}\nexport const = 1\n`)
    await dev.says(/not built; what runs is the last one that was/)
    expect(await (await fetch(`${first}/health`)).text()).toBe("OK")

    copy.write(
      file,
      source.replaceAll('"Content-Length", "2"', '"Content-Length", "6"').replace('body: "OK"', 'body: "is new"'),
    )
    await dev.says(/a source has changed/)
    const second = await dev.says(listening)
    expect(await (await fetch(`${second}/health`)).text()).toBe("is new")
    await expect(fetch(`${first}/health`)).rejects.toThrow()

    dev.signal("SIGINT")
    await dev.says(/stopped/)
    expect(await dev.ended).toBe(0)
    expect(readdirSync(copy.folder).filter((name) => name.startsWith("dist"))).toEqual([])
    await expect(fetch(`${second}/health`)).rejects.toThrow()
  }, 60_000)
})
