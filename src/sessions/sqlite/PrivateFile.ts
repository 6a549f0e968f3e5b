import { closeSync, openSync } from "node:fs"
import { placeOf } from "../FilePlace.js"

/**
 * Makes a database that is not there yet, still empty, for its owner alone (mode 0600): URLs of sessions may hold passwords. SQLite
 * itself would make it readable for all. What it keeps beside the file, the WAL and its index, gets the mode of the file.
 *
 * A file that is there keeps its mode, and is not even opened: to close it would release the locks that this process has on it. Where
 * the file cannot be made, SQLite says why when it opens it.
 */
export const makePrivate = (path: string): void => {
  if (placeOf(path) !== "nothing") return
  try {
    // Not "ax": a link may lead to the file that is to be made.
    closeSync(openSync(path, "a", 0o600))
  } catch {
    return
  }
}
