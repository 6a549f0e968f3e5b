import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { programs } from "../process/Machine.mjs"

/**
 * @param {number} port
 * @param {string} origin
 */
const config = (port, origin) => `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout http-keep-alive 75s
  option http-keep-alive
  option http-no-delay
  option forwardfor
  no log
frontend clients
  bind 127.0.0.1:${port} backlog 4096
  default_backend origin
backend origin
  http-reuse always
  server origin ${new URL(origin).host} pool-max-conn 256 pool-purge-delay 1h
`

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "HAProxy, one thread, keep-alive to the origin shared by all, every byte passed on at once",
  webSockets: true,
  command: ({ port, origin, folder }) => {
    if (programs.haproxy === undefined) return undefined
    mkdirSync(folder, { recursive: true })
    const file = join(folder, "haproxy.cfg")
    writeFileSync(file, config(port, origin))
    return [programs.haproxy, "-db", "-f", file]
  },
}
