// Loaded into the proxy before its program: names are what the file says that NAMES_FILE names, at the moment of each
// look-up: `{ NAME: { addresses, error, delay } }`, the delay in milliseconds.
import dns from "node:dns"
import { readFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const real = dns.lookup

dns.lookup = (hostname, options, callback) => {
  const known = JSON.parse(readFileSync(process.env.NAMES_FILE, "utf8"))[hostname]
  if (known === undefined) return real(hostname, options, callback)
  const { addresses = [], delay = 0, error } = known
  setTimeout(() => {
    if (error !== undefined) return callback(Object.assign(new Error(error), { code: error }), [])
    callback(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    )
  }, delay)
}
syncBuiltinESMExports()
