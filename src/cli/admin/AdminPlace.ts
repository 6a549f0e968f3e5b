import type { RequestOptions } from "node:http"
import { CommandFailed } from "../Failure.js"

/** Where a proxy is asked: a Unix socket, or a base URL. */
export type AdminPlace = { readonly path: string } | { readonly url: string; readonly token: string | undefined }

/** How a place is named to people. */
export const nameOf = (place: AdminPlace): string => ("path" in place ? place.path : place.url)

/** The base of the URLs that are asked for there. */
export const baseOf = (place: AdminPlace): string => ("path" in place ? "http://admin" : place.url)

/** Where Node connects for it. */
export const addressOf = (place: AdminPlace): Pick<RequestOptions, "host" | "port" | "socketPath"> => {
  if ("path" in place) return { socketPath: place.path, host: "admin" }
  const { hostname, port } = new URL(place.url)
  // An address of IPv6 is in brackets in a URL, and nowhere else.
  return { host: hostname.replaceAll(/[[\]]/g, ""), port }
}

/** The token that is shown there; none on a socket. */
export const tokenFor = (place: AdminPlace): string | undefined => ("path" in place ? undefined : place.token)

/** Somebody was asked there, and did not do what he was asked. */
export const askedInVain = (problem: string): CommandFailed =>
  new CommandFailed({
    code: "proxy_failed",
    problem: `the proxy gave no usable answer: ${problem}`,
    hint: "see its log, or check --admin",
  })
