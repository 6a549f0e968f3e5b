import { type IncomingMessage, request as httpRequest } from "node:http"
import * as HttpApiClient from "@effect/platform/HttpApiClient"
import * as HttpClient from "@effect/platform/HttpClient"
import { RequestError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { Effect, Layer } from "effect"
import { AdminApi } from "../../admin/api/AdminApi.js"
import { addressOf, type AdminPlace, baseOf, tokenFor } from "./AdminPlace.js"

/** So long an answer may take, in milliseconds; longer where it is told when new workers have started. */
const [patience, startPatience] = [10_000, 30_000]

const readAll = async (message: IncomingMessage): Promise<Response> => {
  const pieces: Array<Uint8Array> = []
  for await (const piece of message) pieces.push(piece)
  const status = message.statusCode ?? 502
  const body = status === 204 ? null : Buffer.concat(pieces)
  return new Response(body, { status, headers: { "content-type": message.headers["content-type"] ?? "" } })
}

/** A client of HTTP that asks at one place, with Node's own. Calls of the API are small, and so are its answers. */
const clientAt = (place: AdminPlace): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.tryPromise({
      try: () =>
        new Promise<Response>((resolve, reject) => {
          const { body, headers, method } = request
          const timeout = url.pathname === "/v1/reload" ? startPatience : patience
          const sent = httpRequest(
            { ...addressOf(place), method, headers, path: `${url.pathname}${url.search}`, signal, timeout },
            (message) => void readAll(message).then(resolve, reject),
          )
          sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeout / 1_000} s`)))
          sent.on("error", reject)
          sent.end(body._tag === "Uint8Array" ? body.body : undefined)
        }),
      catch: (cause) => new RequestError({ request, reason: "Transport", cause }),
    }).pipe(Effect.map((response) => HttpClientResponse.fromWeb(request, response))),
  ).pipe(HttpClient.withTracerPropagation(false))

/** Every call of the admin API of the proxy at this place. */
export const adminClient = (place: AdminPlace) =>
  HttpApiClient.make(AdminApi, {
    baseUrl: baseOf(place),
    transformClient: HttpClient.mapRequest((request) => {
      const token = tokenFor(place)
      return token === undefined ? request : HttpClientRequest.bearerToken(request, token)
    }),
  }).pipe(Effect.provide(Layer.succeed(HttpClient.HttpClient, clientAt(place))))

/** The calls of one proxy. */
export type AdminCalls = Effect.Effect.Success<ReturnType<typeof adminClient>>
