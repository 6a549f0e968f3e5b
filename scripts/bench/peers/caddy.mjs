import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { programs } from "../process/Machine.mjs"

/**
 * @param {number} port
 * @param {string} origin
 */
const config = (port, origin) => `
{
  admin off
  auto_https off
  log {
    output discard
  }
  servers {
    timeouts {
      idle 75s
    }
  }
}
http://127.0.0.1:${port} {
  bind 127.0.0.1
  reverse_proxy ${new URL(origin).host} {
    flush_interval -1
    transport http {
      keepalive 75s
      keepalive_idle_conns_per_host 256
      compression off
    }
  }
}
`

/** @type {import("./Peer.mjs").Peer} */
export const peer = {
  about: "Caddy, every byte passed on at once",
  webSockets: true,
  command: ({ port, origin, folder }) => {
    if (programs.caddy === undefined) return undefined
    mkdirSync(folder, { recursive: true })
    const file = join(folder, "Caddyfile")
    writeFileSync(file, config(port, origin))
    // It writes its configuration down, in these folders.
    const folders = [`XDG_CONFIG_HOME=${folder}`, `XDG_DATA_HOME=${folder}`]
    return ["env", ...folders, programs.caddy, "run", "--adapter", "caddyfile", "--config", file]
  },
}
