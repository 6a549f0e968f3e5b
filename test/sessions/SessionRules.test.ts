import { assert, describe, it } from "@effect/vitest"
import { labelProblem } from "../../src/sessions/SessionRules.js"

describe("why a session has no name of its own", () => {
  it.each([
    ["alice", undefined],
    ["a-b_c1", undefined],
    ["x".repeat(63), undefined],
    ["x".repeat(64), /longer than 63 characters/],
    ["Alice", /capital letters/],
    ["-alice", /begins or ends with a hyphen/],
    ["Alice-", /begins or ends with a hyphen/],
    ["a.b", /characters that no name has/],
    ["café", /characters that no name has/],
    ["a b", /characters that no name has/],
  ])("%s", (id, problem) => {
    if (problem === undefined) assert.isUndefined(labelProblem(id))
    else assert.match(labelProblem(id) ?? "", problem)
  })
})
