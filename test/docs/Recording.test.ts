import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "./Blocks.js"
import { commandsOf, recordedExamples } from "./Recording.js"
import { commandLinesIn, drawRecording, outputLinesIn } from "./RecordingPicture.js"

const picture = readFileSync(join(root, "docs/img/recording.svg"), "utf8")

describe("the recording in README.md", () => {
  const examples = recordedExamples().filter(({ block }) => block.kind === "run")

  it("has the commands of README.md; `npm run recording` records them", () => {
    const lines = examples.flatMap(({ block }) => commandsOf(block.text).flatMap((command) => command.split("\n")))
    expect(lines.length).toBeGreaterThan(5)
    expect(commandLinesIn(picture)).toEqual(lines)
  })

  it("shows the output that README.md shows", () => {
    const lines = examples.flatMap(({ output }) => (output ?? "").split("\n")).filter((line) => line !== "")
    expect(outputLinesIn(picture)).toEqual(lines)
  })

  it("is small, and needs nothing that a page does not allow to pictures", () => {
    expect(Buffer.byteLength(picture)).toBeLessThan(60_000)
    expect(picture).not.toMatch(/<script|<foreignObject|href=|@import|url\((?!#)/)
  })

  it("stands still where motion is not wanted", () => {
    expect(picture).toContain("@media (prefers-reduced-motion:reduce){.line,.cover{animation:none!important}}")
  })
})

describe("a recording", () => {
  const drawn = drawRecording([
    {
      lines: ["echo '<&>' \\", "  again"],
      printed: [
        { at: 0, text: "<&>" },
        { at: 400, text: "" },
        { at: 900, text: "later" },
      ],
    },
    { lines: ["true"], printed: [] },
  ])

  it("has all lines as they were", () => {
    expect(commandLinesIn(drawn)).toEqual(["echo '<&>' \\", "  again", "true"])
    expect(outputLinesIn(drawn)).toEqual(["<&>", "later"])
  })

  it("shows lines as far apart in time as they came", () => {
    const [, seconds = 0] = /animation-duration:([\d.]+)s/.exec(drawn) ?? []
    const [first = 0, later = 0] = [2, 3].map((index) => {
      const [, share] = new RegExp(`@keyframes l${index}{0%{opacity:0}([\\d.]+)%`).exec(drawn) ?? []
      return (Number(share) / 100) * Number(seconds) * 1000
    })
    expect(Math.abs(later - first - 900)).toBeLessThan(20)
  })
})
