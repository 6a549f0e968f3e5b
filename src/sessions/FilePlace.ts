import { statSync } from "node:fs"

/** What a path names; `"unknown"` where it may not be looked at. */
export type FilePlace = FileIdentity | "nothing" | "unknown"

/**
 * Tells files apart, whatever they are called: by what stays while the content of a database changes. Whether content has
 * changed is another question, with other answers (`cli/FollowedTls`).
 */
interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
  /** Bytes. */
  readonly size: bigint
}

/** What stands at a path at this moment, behind links. */
export const placeOf = (path: string): FilePlace => {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    return found === undefined ? "nothing" : { device: found.dev, inode: found.ino, size: found.size }
  } catch {
    return "unknown"
  }
}

/** Whether two paths, or one at two moments, name the same file. */
export const isSameFile = (one: FilePlace, other: FilePlace): one is FileIdentity =>
  typeof one !== "string" && typeof other !== "string" && one.inode === other.inode && one.device === other.device

/** What stands where SQLite keeps the write-ahead log of a database, and the log's index. `realPath`: without links. */
export const companionsOf = (realPath: string): readonly [log: FilePlace, index: FilePlace] => [
  placeOf(`${realPath}-wal`),
  placeOf(`${realPath}-shm`),
]
