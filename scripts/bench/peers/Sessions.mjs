// The `sessions` table that ss-proxy and the Rust program of that name read.
import Database from "better-sqlite3"

const schema = `
  CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    downstream_server_url TEXT NOT NULL,
    downstream_server_status TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP
  );
  CREATE INDEX IF NOT EXISTS idx_session_status ON sessions(downstream_server_status);
  CREATE INDEX IF NOT EXISTS idx_created_at ON sessions(created_at);
`

/**
 * Opens a database of sessions, and makes its table if that is missing.
 *
 * @param {string} file
 */
const open = (file) => {
  const database = new Database(file, { timeout: 10_000 })
  database.exec(schema)
  const insert = database.prepare(
    "INSERT INTO sessions (session_id, downstream_server_url, downstream_server_status) VALUES (?, ?, 'active')",
  )
  return { database, insert }
}

/**
 * Makes a database with the session `bench` and a number of others, named `s0`, `s1`, ….
 *
 * @param {string} file
 * @param {string} origin
 * @param {number} more
 */
export const makeSessions = (file, origin, more) => {
  const { database, insert } = open(file)
  database.pragma("synchronous = OFF")
  database.transaction(() => {
    insert.run("bench", origin)
    for (let i = 0; i < more; i += 1) insert.run(`s${i}`, origin)
  })()
  database.close()
}

/**
 * A connection that writes like another program.
 *
 * @param {string} file
 * @param {string} origin
 */
export const sessionWriter = (file, origin) => {
  const { database, insert } = open(file)
  return {
    /** @param {string} id */
    add: (id) => void insert.run(id, origin),
    close: () => database.close(),
  }
}
