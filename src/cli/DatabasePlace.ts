import { createHash } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ownerOf } from "../admin/SocketPlaces.js"
import type { Database } from "./Database.js"

/**
 * Beside which path the admin sockets of proxies on a database are. Where it is no file, that is in the folder that a user has
 * for such things, or in that for temporary files, under a name that is the same for the same URL, whatever the password is.
 */
export const besideOf = (database: Database): string => {
  if (database._tag === "Sqlite") return database.filename
  const folder = process.env["XDG_RUNTIME_DIR"] ?? ""
  const name = createHash("sha256").update(database.shown).digest("hex").slice(0, 12)
  return join(folder === "" ? tmpdir() : folder, `ss-proxy-${name}`)
}

/** The user of this machine that a database belongs to; `undefined` where there is none. */
export const ownerOfDatabase = (database: Database): number | undefined =>
  database._tag === "Sqlite" ? ownerOf(database.filename) : undefined
