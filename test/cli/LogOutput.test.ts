import { describe, expect, it } from "@effect/vitest"
import { Writable } from "node:stream"
import { LogOutput } from "../../src/cli/LogOutput.js"

/** A reader that takes what is written only when it is told to. */
const stoppedReader = () => {
  const taken: Array<string> = []
  let wakened = () => {}
  let stopped = true
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      taken.push(String(chunk))
      if (stopped) wakened = done
      else done()
    },
  })
  return {
    stream,
    taken,
    go: () => {
      stopped = false
      wakened()
    },
  }
}

const line = "x".repeat(1_023)

describe("lines for a reader that has stopped", () => {
  it("wait up to a mebibyte, the rest is dropped, and one line tells how many when the reader goes on", async () => {
    const { stream, taken, go } = stoppedReader()
    const output = new LogOutput(stream, (dropped) => `${dropped} lost`)
    for (let count = 0; count < 5_000; count++) output.write(line)
    expect(stream.writableLength).toBe(1_048_576)
    go()
    await new Promise((resolve) => setImmediate(resolve))
    output.write("on")
    expect(taken.slice(-2)).toEqual([`${5_000 - 1_024} lost\n`, "on\n"])
    expect(taken.slice(0, -2)).toEqual(Array.from({ length: 1_024 }, () => `${line}\n`))
  })

  it("stay in order: nothing is written behind a gap before it is told of", async () => {
    const { stream, taken, go } = stoppedReader()
    const output = new LogOutput(stream, (dropped) => `${dropped} lost`)
    for (let count = 0; count < 1_025; count++) output.write(line)
    output.write("short")
    go()
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken.at(-1)).toBe("2 lost\n")
    expect(taken).not.toContain("short\n")
  })

  it("are dropped anew, and told of anew, when it stops again", async () => {
    const { stream, taken, go } = stoppedReader()
    const output = new LogOutput(stream, (dropped) => `${dropped} lost`)
    for (let count = 0; count < 1_030; count++) output.write(line)
    go()
    await new Promise((resolve) => setImmediate(resolve))
    stream.cork()
    for (let count = 0; count < 1_030; count++) output.write(line)
    stream.uncork()
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken.filter((text) => text.endsWith("lost\n"))).toEqual(["6 lost\n", "6 lost\n"])
  })
})
