import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const script = new URL("../../scripts/test/TimeLeft.mjs", import.meta.url)

/** What a call of scripts/test/TimeLeft.mjs gives, which is no part of what the compiler checks here. */
const answerOf = (call: string): unknown => {
  const code = `import { expected, inWords, timeLeft } from ${JSON.stringify(script.href)}
    process.stdout.write(JSON.stringify({ answer: ${call} }))`
  const { status, stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    encoding: "utf8",
  })
  expect(stderr).toBe("")
  expect(status).toBe(0)
  const { answer }: { answer?: unknown } = JSON.parse(stdout)
  return answer
}

describe("the time that npm test says is left", () => {
  it("is what the rest took before, at the pace of what is done", () => {
    const times = "{ a: 100, b: 300, c: 400, d: 200 }"
    expect(
      answerOf(`[
        timeLeft({ done: ["a"], left: ["b", "c", "d"], elapsed: 50 }, ${times}),
        timeLeft({ done: ["a", "b", "c", "d"], left: [], elapsed: 7_000 }, ${times}),
        timeLeft({ done: ["a"], left: ["b", "c", "new"], elapsed: 100 }, ${times}),
      ]`),
    ).toEqual([450, 0, 1_050])
  })

  it("is not said where nothing tells", () => {
    expect(
      answerOf(`[
        timeLeft({ done: [], left: ["a"], elapsed: 50 }, { a: 1 }) ?? null,
        timeLeft({ done: ["a"], left: ["b", "c", "d"], elapsed: 50 }, { a: 1, b: 1 }) ?? null,
        expected(["a"], {}) ?? null,
      ]`),
    ).toEqual([null, null, null])
  })

  it("is in seconds or minutes", () => {
    expect(answerOf("[400, 40_400, 89_000, 90_000, 1_020_000].map(inWords)")).toEqual([
      "0 s",
      "40 s",
      "89 s",
      "2 min",
      "17 min",
    ])
  })
})
