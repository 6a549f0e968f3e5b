import { Effect } from "effect"
import { policies, type Policy } from "../domain/Policies.js"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { type FieldEdits, fieldEdits } from "../wire/FieldEdits.js"

/**
 * What becomes of the fields of an answer of the proxy's own to a request that was not let in to the session of this id: by
 * its policy, or by the setting where it has none that can be used, or is not known.
 */
export type AnswerEditsFor = (sessionId: string) => FieldEdits | undefined

/** A value as it is stored; null where it cannot be used. */
const usable = <A>({ reading, fallback }: Policy<A>, stored: unknown): A => (reading.is(stored) ? stored : fallback)

/** Asked when such a request is answered, and never else. */
export const makeAnswerEditsFor: Effect.Effect<AnswerEditsFor, never, ProxyConfig | SessionDirectory> = Effect.gen(
  function* () {
    const { setResponseFields, stripResponseFields } = yield* ProxyConfig
    const directory = yield* SessionDirectory
    const usual = fieldEdits(stripResponseFields, setResponseFields)
    return (sessionId) => {
      const own = directory.policyOf(sessionId)
      const set = usable(policies.setResponseFields, own?.setResponseFields)
      const strip = usable(policies.stripResponseFields, own?.stripResponseFields)
      if (set === null && strip === null) return usual
      return fieldEdits(strip ?? stripResponseFields, set ?? setResponseFields)
    }
  },
)
