import { assert, describe, it } from "@effect/vitest"
import { BadRequest, HookRefused, StageRefused } from "../../src/domain/ProxyError.js"
import { answerCauses, causeIndex, refusalCode, refusalCodes } from "../../src/telemetry/Causes.js"
import { describeError } from "../../src/wire/Reply.js"
import { errorSamples } from "../docs/ErrorReference.js"

describe("the causes that requests are counted by", () => {
  it("are the codes and the classes of the answers", () => {
    for (const error of errorSamples) {
      const { code, status } = describeError(error)
      assert.deepStrictEqual(answerCauses[causeIndex(error)], { status: `${Math.trunc(status / 100)}xx`, cause: code })
    }
  })

  it("are one for all errors of hooks and one for those of stages, whose codes anybody may choose", () => {
    const causeOf = (status: number, Refused: typeof HookRefused | typeof StageRefused) => {
      const answer = { status, code: `invented-${status}`, detail: "" }
      return answerCauses[causeIndex(new Refused({ error: { _tag: "Own", answer } }))]
    }
    assert.deepStrictEqual(causeOf(403, HookRefused), { status: "4xx", cause: "hook_refused" })
    assert.deepStrictEqual(causeOf(599, HookRefused), { status: "5xx", cause: "hook_refused" })
    assert.deepStrictEqual(causeOf(403, StageRefused), { status: "4xx", cause: "stage_refused" })
    assert.deepStrictEqual(causeOf(599, StageRefused), { status: "5xx", cause: "stage_refused" })
  })

  it("are those of what never became a request, too", () => {
    const error = new BadRequest({ detail: "" })
    assert.strictEqual(refusalCode(error), describeError(error).code)
    assert.includeMembers(
      answerCauses.map(({ cause }) => cause),
      // Nobody is left to be answered there.
      refusalCodes.filter((code) => code !== "request_broken"),
    )
  })
})
