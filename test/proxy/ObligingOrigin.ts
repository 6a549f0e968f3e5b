import { Effect } from "effect"
import { answer, response } from "../support/HttpText.js"
import type { OriginConnection, Script } from "../support/RawOrigin.js"
import { switching } from "../websocket/Tunnel.js"

/**
 * Answers each request with the fields that its `X-Say` asks for, a `|` between them, in a 103 and in the answer, or in the
 * 101 to a handshake. `ORIGIN` is what the server is called: its `Host`, or what `X-Told` says.
 */
export const obliging: Script = (connection: OriginConnection) =>
  Effect.gen(function* () {
    for (;;) {
      const asked = yield* connection.request
      const host = asked.value("x-told") ?? asked.value("host") ?? ""
      const fields = (asked.value("x-say") ?? "").split("|").map((line) => line.replaceAll("ORIGIN", host))
      const agrees = asked.value("upgrade") !== undefined && asked.value("x-refuse") === undefined
      yield* connection.send(
        agrees ? switching(asked, fields) : response("103 Early Hints", fields) + answer("302 Found", "", fields),
      )
    }
  })
