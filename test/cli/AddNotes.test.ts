import { describe, expect, it } from "@effect/vitest"
import { idNote } from "../../src/cli/sessions/AddNotes.js"

describe("the note on a new id", () => {
  it.each([
    ["a%41", "h:1", 'reach this one as /a%2541; /a%41 is the session "aA"'],
    ["a%2Fb", "h:1", 'reach this one as /a%252Fb; /a%2Fb is the session "a/b"'],
    ["100%", "h:1", "reach this one as /100%25; /100% is refused with 400"],
    ["%77s", "h:1", "reach this one as /%2577s; /%77s is no session"],
    ["localhost:9000", "my-session", '"localhost:9000" is the id now, and "my-session" the URL'],
  ])("says of %j for %j what somebody in a hurry may not think of", (id, url, what) => {
    expect(idNote(id, url)).toContain(what)
  })

  it.each([
    ["my-session", "localhost:9000"],
    ["a/b c", "h"],
    ["localhost:9000", "h:1"],
    ["0a:1b:2c:3d:4e:5f", "device"],
  ])("is none on %j for %j", (id, url) => {
    expect(idNote(id, url)).toBeUndefined()
  })
})
