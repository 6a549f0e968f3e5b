import { Effect } from "effect"
import { ProxyConfig } from "../domain/ProxyConfig.js"
import { settings as rows } from "../domain/Settings.js"
import { SessionDirectory } from "../sessions/SessionDirectory.js"
import { type AllowedOrigins, allowedOrigins } from "../wire/CrossOrigin.js"

/**
 * Whose scripts may read what goes wrong with requests for the session of this id, by its policy, or by the setting where it
 * has none, or is not known; `undefined`: nobody's from other origins.
 */
export type OriginsFor = (sessionId: string | undefined) => AllowedOrigins | undefined

/** Asked when a request ends in an error, and never else. */
export const makeOriginsFor: Effect.Effect<OriginsFor, never, ProxyConfig | SessionDirectory> = Effect.gen(
  function* () {
    const { cors } = yield* ProxyConfig
    const directory = yield* SessionDirectory
    const usual = allowedOrigins(cors)
    // A list may be long, and whoever asks for errors asks for many of one session.
    let latest = { text: cors, origins: usual }
    return (sessionId) => {
      const own = sessionId === undefined ? undefined : directory.policyOf(sessionId)?.cors
      if (own === undefined || own === null) return usual
      if (own !== latest.text) latest = { text: own, origins: rows.cors.reading.is(own) ? allowedOrigins(own) : usual }
      return latest.origins
    }
  },
)
