import { Context, Data, Effect, FiberId, FiberSet, Layer } from "effect"
import type { Scope } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { refusalAnswer, sendAnswer } from "./DemoAnswer.js"
import { DemoRefusal, basePath, demoRequest } from "./DemoRequest.js"
import { answerRequest, greeting } from "./DemoRoutes.js"
import { webSocketEcho } from "./WebSocketEcho.js"

/** The demo server could not listen on the loopback address. */
export class DemoListenError extends Data.TaggedError("DemoListenError")<{ readonly cause: unknown }> {}

/** A small server for trying the proxy, similar to httpbin; `/` lists its routes. */
export class DemoDownstream extends Context.Tag("@ss-proxy/DemoDownstream")<
  DemoDownstream,
  {
    /** The URL of the server: `http://127.0.0.1:PORT/built-in-demo`. The path marks it as the URL of a demo server. */
    readonly url: string
  }
>() {
  /** Listens on a port that the kernel chooses. On release every connection is cut at once. */
  static readonly layer: Layer.Layer<DemoDownstream, DemoListenError> = Layer.scoped(
    DemoDownstream,
    Effect.suspend(() => make),
  )
}

/** Time limit for the answer of another demo server, in milliseconds. */
const probeTimeout = 1_000

/** Whether a demo server, of this process or another, answers at this URL. */
export const isDemoServer = (url: string): Effect.Effect<boolean> =>
  Effect.tryPromise(async () => (await fetch(url, { signal: AbortSignal.timeout(probeTimeout) })).text()).pipe(
    Effect.map((page) => page.startsWith(greeting)),
    Effect.orElseSucceed(() => false),
  )

const make = Effect.gen(function* () {
  const run = yield* FiberSet.makeRuntime<never, void, never>()
  const server = createServer((request, response) => {
    // A broken connection also closes the response, which interrupts the fiber. The errors add nothing to that.
    request.on("error", () => {})
    response.on("error", () => {})
    const fiber = run(serve(request, response))
    response.once("close", () => fiber.unsafeInterruptAsFork(FiberId.none))
  })
  server.on("upgrade", webSocketEcho())
  // No time limit for uploads.
  server.requestTimeout = 0
  const port = yield* listen(server)
  return { url: `http://127.0.0.1:${port}${basePath}` }
})

/** Serves one request, up to the last byte of its answer. */
const serve = (incoming: IncomingMessage, response: ServerResponse): Effect.Effect<void> =>
  Effect.suspend(() => answerRequest(demoRequest(incoming))).pipe(
    Effect.catchAllDefect((defect) =>
      Effect.logError("demo server: a handler failed", defect).pipe(
        Effect.andThen(new DemoRefusal({ status: 500, detail: "The demo server failed." })),
      ),
    ),
    Effect.catchTag("DemoRefusal", (refusal) => Effect.succeed(refusalAnswer(refusal))),
    // Discards content that the handler has not read, so that the connection can be reused.
    Effect.tap(() => Effect.sync(() => incoming.resume())),
    Effect.flatMap((answer) => sendAnswer(response, answer)),
    Effect.catchAllDefect((defect) =>
      Effect.logError("demo server: an answer failed", defect).pipe(
        Effect.andThen(Effect.sync(() => response.destroy())),
      ),
    ),
  )

const listen = (server: Server): Effect.Effect<number, DemoListenError, Scope.Scope> => {
  const sockets = new Set<Socket>()
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  const open = Effect.async<number, DemoListenError>((resume) => {
    server.on("error", (cause) => resume(new DemoListenError({ cause })))
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
    })
  })
  const close = Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    for (const socket of sockets) socket.destroy()
  })
  return Effect.acquireRelease(open, () => close)
}
