import { readFileSync, statSync } from "node:fs"
import { isSocket, type PostgresHost, type PostgresPlace } from "./PostgresPlace.js"

/** The fields of a line: a colon or a backslash in one of them has a backslash before it. */
const fieldsOf = (line: string): ReadonlyArray<string> => {
  const fields = [""]
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? ""
    if (character === ":") fields.push("")
    else fields.push(`${fields.pop() ?? ""}${character === "\\" ? (line[++at] ?? "") : character}`)
  }
  return fields
}

/**
 * The password that a password file has for a server, in the form of libpq's: `host:port:database:user:password`, where
 * `*` means any. The first line that fits counts. A Unix socket goes by its folder, or by `localhost`.
 */
export const passwordIn = (
  text: string,
  server: PostgresHost,
  { database, user }: Pick<PostgresPlace, "database" | "user">,
): string | undefined => {
  const hosts = isSocket(server) ? [server.host, "localhost"] : [server.host]
  const allowed = [hosts, [String(server.port)], [database], [user]]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue
    const fields = fieldsOf(line)
    const password = fields[allowed.length]
    const fits = (values: ReadonlyArray<string>, at: number) => fields[at] === "*" || values.includes(fields[at] ?? "")
    if (password !== undefined && allowed.every(fits)) return password
  }
  return undefined
}

/** As libpq does, a file that others may read is passed over, and so is one that cannot be read. */
export const passwordFor = (place: PostgresPlace, server: PostgresHost): string | undefined => {
  if (place.passwordFile === undefined) return undefined
  try {
    const isOpenToOthers = process.platform !== "win32" && (statSync(place.passwordFile).mode & 0o077) !== 0
    return isOpenToOthers ? undefined : passwordIn(readFileSync(place.passwordFile, "utf8"), server, place)
  } catch {
    return undefined
  }
}
