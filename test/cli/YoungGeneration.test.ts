import { describe, expect, it } from "vitest"
import { spawnSync } from "node:child_process"
import { binary } from "../support/BuiltProgram.js"

/** Keeps more new objects than V8's space for them can ever hold, then says how large it has become, in bytes. */
const filled = `
import { getHeapSpaceStatistics } from "node:v8"
process.on("exit", () => {
  const kept = Array.from({ length: 1_000_000 }, (_, at) => ({ at }))
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")
  console.log(kept.length > 0 && space.space_size)
})`

const spaceOf = (words: ReadonlyArray<string>, options = ""): number => {
  const preload = ["--import", `data:text/javascript,${encodeURIComponent(filled)}`]
  const { stdout } = spawnSync(process.execPath, [...preload, ...words], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: options },
  })
  return Number(stdout.trim().split("\n").at(-1))
}

const mebibyte = 2 ** 20

describe("V8's space for new objects", () => {
  it("stays small in ss-proxy", () => {
    expect(spaceOf([binary, "--help"])).toBeLessThanOrEqual(8 * mebibyte)
  })

  it("would be larger by itself", () => {
    expect(spaceOf(["--eval", ""])).toBeGreaterThan(8 * mebibyte)
  })

  it("is as large as the operator wants it", () => {
    expect(spaceOf([binary, "--help"], "--max-semi-space-size=16")).toBeGreaterThan(16 * mebibyte)
  })
})
