import { assert, describe, it } from "@effect/vitest"
import { BadRequest, HookRefused } from "../../src/domain/ProxyError.js"
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

  it("are one for all errors of hooks, whose codes are anybody's", () => {
    const causeOf = (status: number) => {
      const answer = { status, code: `invented-${status}`, detail: "" }
      return answerCauses[causeIndex(new HookRefused({ error: { _tag: "Own", answer } }))]
    }
    assert.deepStrictEqual(causeOf(403), { status: "4xx", cause: "hook_refused" })
    assert.deepStrictEqual(causeOf(599), { status: "5xx", cause: "hook_refused" })
  })

  it("are those of what never became a request, too", () => {
    const error = new BadRequest({ detail: "" })
    assert.strictEqual(refusalCode(error), describeError(error).code)
    assert.includeMembers(
      answerCauses.map(({ cause }) => cause),
      [...refusalCodes],
    )
  })
})
