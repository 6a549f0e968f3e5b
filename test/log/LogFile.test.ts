import { describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { onTestFinished, vi } from "vitest"
import { LineSink } from "../../src/log/LineSink.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { LogFile } from "../../src/log/LogFile.js"

const patience = 5_000

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "ss-proxy-log-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A file of lines in a folder of the test's own, and what could not be opened anew. */
const openLines = (path = join(newFolder(), "access.log")) => {
  const failed: Array<string | undefined> = []
  const file = new LogFile(path, ({ code }) => failed.push(code))
  onTestFinished(() => file.close())
  return { path, file, failed, lines: new LineSink(file, 1) }
}

const textIn = (path: string): string => readFileSync(path, "utf8")

const isThere = async (path: string): Promise<void> => {
  while (!existsSync(path)) await pause(1)
}

/** Whole lines `line 0 xxx`, `line 1 xxx` and so on. */
const numbersIn = (text: string): ReadonlyArray<number> => {
  expect(text.endsWith("\n") || text === "").toBe(true)
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      expect(line).toMatch(/^line \d+ x{100}$/)
      return Number(line.split(" ")[1])
    })
}

const numbered = (number: number): string => `line ${number} ${"x".repeat(100)}`

describe("a file of lines", () => {
  it("is made where there is none, and gone on with where there is one", async () => {
    const { path, lines } = openLines()
    lines.write("one")
    await lines.flush(patience)
    const again = openLines(path)
    again.lines.write("two")
    await again.lines.flush(patience)
    expect(textIn(path)).toBe("one\ntwo\n")
  })

  it("begins on a line of its own where the last one was torn", async () => {
    const path = join(newFolder(), "access.log")
    writeFileSync(path, 'whole\n{"torn":')
    const { lines } = openLines(path)
    lines.write("one")
    await lines.flush(patience)
    expect(textIn(path)).toBe('whole\n{"torn":\none\n')
  })

  it("says why it cannot be opened", () => {
    const folder = newFolder()
    expect(() => new LogFile(join(folder, "none", "x.log"), () => {})).toThrow(/ENOENT/)
    expect(() => new LogFile(folder, () => {})).toThrow(/EISDIR/)
  })

  it("is opened anew when that is asked for: what was moved away stays whole, and nothing is lost", async () => {
    const { path, file, lines } = openLines()
    let next = 0
    for (let round = 0; round < 20; round++) {
      for (let count = 0; count < 1_000; count++) lines.write(numbered(next++))
      await isThere(path)
      renameSync(path, `${path}.${round}`)
      file.reopen()
    }
    await lines.flush(patience)
    await isThere(path)
    const texts = [...Array.from({ length: 20 }, (_, round) => textIn(`${path}.${round}`)), textIn(path)]
    expect(texts.flatMap(numbersIn)).toEqual(Array.from({ length: next }, (_, index) => index))
  })

  it("is made anew within ten seconds where it was moved or removed", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    onTestFinished(() => void vi.useRealTimers())
    const { path, lines } = openLines()
    lines.write("one")
    await lines.flush(patience)
    for (const remove of [() => rmSync(path), () => renameSync(path, `${path}.1`)]) {
      remove()
      vi.advanceTimersByTime(10_000)
      await isThere(path)
      lines.write("two")
      await lines.flush(patience)
      expect(textIn(path)).toBe("two\n")
    }
  })

  it("begins anew where it is copied and truncated, without a hole or a torn line", async () => {
    const { path, lines } = openLines()
    let last = -1
    for (let round = 0; round < 20; round++) {
      for (let count = 0; count < 2_000; count++) lines.write(numbered(++last))
      await pause(2)
      copyFileSync(path, `${path}.${round}`)
      truncateSync(path)
    }
    lines.write(numbered(++last))
    await lines.flush(patience)
    const numbers = numbersIn(textIn(path))
    expect(numbers.at(-1)).toBe(last)
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => last - numbers.length + 1 + index))
  })

  it("goes on with the old one where no other can be opened, and says so", async () => {
    const folder = newFolder()
    const inner = join(folder, "logs")
    mkdirSync(inner)
    const { file, failed, lines } = openLines(join(inner, "access.log"))
    renameSync(inner, join(folder, "moved"))
    file.reopen()
    lines.write("one")
    await lines.flush(patience)
    expect(failed).toEqual(["ENOENT"])
    expect(textIn(join(folder, "moved", "access.log"))).toBe("one\n")
  })
})

const makePipe = (): string => {
  const path = join(newFolder(), "pipe")
  expect(spawnSync("mkfifo", [path]).status).toBe(0)
  return path
}

describeUnless(lacking("mkfifo"))("a pipe that nobody reads", () => {
  it("takes what it holds, and the rest when somebody comes; no line is torn or lost", async () => {
    const { path, lines } = openLines(makePipe())
    for (let count = 0; count < 5_000; count++) lines.write(numbered(count))
    await lines.flush(200)
    expect(lines.waiting).toBeGreaterThan(1_000)
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    onTestFinished(() => closeSync(reader))
    let text = ""
    const some = Buffer.alloc(65_536)
    const writing = lines.flush(patience)
    for (; numbersInWhole(text) < 5_000; await pause(1)) {
      try {
        text += some.toString("utf8", 0, readSync(reader, some))
      } catch {
        // There is nothing to read yet.
      }
    }
    await writing
    expect(numbersIn(text)).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
  })
})

const numbersInWhole = (text: string): number => text.split("\n").length - 1

const canMount = process.getuid?.() === 0 && spawnSync("mount", ["--version"]).status === 0

/** A disk with room for so many kibibytes; `undefined` where none can be had. */
const smallDisk = (kibibytes: number): string | undefined => {
  const folder = newFolder()
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", folder])
  if (mounted.status !== 0) return undefined
  onTestFinished(() => void spawnSync("umount", ["-l", folder]))
  return folder
}

describeUnless(canMount ? undefined : "only root may mount a small disk")("a full disk", () => {
  it("is tried again each second; the file ends with a whole line at any time, and goes on when there is room", async ({
    skip,
  }) => {
    const folder = smallDisk(64)
    if (folder === undefined) return skip()
    const { path, lines } = openLines(join(folder, "access.log"))
    for (let count = 0; count < 2_000; count++) lines.write(numbered(count))
    while (lines.failures < 2) await pause(20)
    const first = textIn(path)
    expect(numbersIn(first).length).toBeGreaterThan(400)
    truncateSync(path)
    while (textIn(path).length === 0) await pause(20)
    while (lines.failures < 4) await pause(20)
    const second = textIn(path)
    expect(numbersIn(first + second)).toEqual(
      Array.from({ length: numbersIn(first + second).length }, (_, index) => index),
    )
  }, 20_000)
})
