import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { request, response } from "../support/HttpText.js"
import { startLab } from "../support/Lab.js"
import type { RawConnection } from "../support/RawConnection.js"
import { type Script, silent } from "../support/RawOrigin.js"

const zeros = Buffer.alloc(256 * 1024)
const flood = 96 * 1024 * 1024
/** More than the kernel's buffers of two hops ever hold, and far less than the flood. */
const bound = 40 * 1024 * 1024
/** Who cannot write for so long meets a full window, in milliseconds. */
const stall = 250

/** Writes until the other side takes no more, or the flood is over; gives how many bytes it took. */
const takenFrom = (writer: RawConnection): Effect.Effect<number> =>
  Effect.gen(function* () {
    let taken = 0
    while (taken < flood && writer.isOpen) {
      const written = yield* Effect.timeoutOption(writer.send(zeros), stall)
      if (Option.isNone(written)) break
      taken += zeros.length
    }
    return taken
  })

describe("who does not read", () => {
  it.scopedLive("stops the session's server from writing, and lets it go on when it reads again", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.zipRight(connection.request, connection.send(response("200 OK", [`Content-Length: ${flood}`])))
      const { origin, proxy } = yield* startLab({ script })
      const client = yield* proxy.connect
      yield* client.send(request("GET /app/x"))
      yield* client.head
      yield* client.stopReading
      const connection = yield* origin.connection()
      assert.isBelow(yield* takenFrom(connection), bound)
      yield* client.readOn
      yield* client.seenBytes(8 * zeros.length)
      yield* connection.send(zeros)
      client.socket.destroy()
      yield* origin.deserted
    }),
  )

  it.scopedLive("stops the client from sending, and lets it go on when it reads again", () =>
    Effect.gen(function* () {
      const { origin, proxy } = yield* startLab({ script: silent })
      const client = yield* proxy.connect
      yield* client.send(request("PUT /app/x", [`Content-Length: ${flood}`]))
      const connection = yield* origin.connection()
      yield* connection.seen("\r\n\r\n")
      yield* connection.stopReading
      assert.isBelow(yield* takenFrom(client), bound)
      yield* connection.readOn
      yield* connection.seenBytes(8 * zeros.length)
      yield* client.send(zeros)
      client.socket.destroy()
      yield* origin.deserted
    }),
  )

  it.scopedLive("does not hold up anybody else of the same session", () =>
    Effect.gen(function* () {
      const script: Script = (connection) =>
        Effect.gen(function* () {
          const seen = yield* connection.request
          if (seen.target === "/small") return yield* connection.send(response("200 OK", ["Content-Length: 2"], "ok"))
          yield* connection.send(response("200 OK", [`Content-Length: ${flood}`]))
          return yield* takenFrom(connection)
        })
      const { proxy, ask } = yield* startLab({ script })
      const sleeper = yield* proxy.connect
      yield* sleeper.send(request("GET /app/large"))
      yield* sleeper.head
      yield* sleeper.stopReading
      assert.strictEqual((yield* ask(request("GET /app/small"))).text, "ok")
    }),
  )
})
