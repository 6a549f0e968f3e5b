import { statSync } from "node:fs"

/** The file that a path names; `"unknown"` if the system does not let us look. */
export type FilePlace = FileIdentity | "nothing" | "unknown"

/**
 * Identifies a file, whatever its name is, by device and inode: these stay the same while a database is written. To
 * detect changed content, `cli/FollowedTls` compares more.
 */
interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
  /** Bytes. */
  readonly size: bigint
}

/** The file at a path now; links are followed. */
export const placeOf = (path: string): FilePlace => {
  try {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false })
    return found === undefined ? "nothing" : { device: found.dev, inode: found.ino, size: found.size }
  } catch {
    return "unknown"
  }
}

/** Whether both are the same file. */
export const isSameFile = (one: FilePlace, other: FilePlace): one is FileIdentity =>
  typeof one !== "string" && typeof other !== "string" && one.inode === other.inode && one.device === other.device

/** The files at the paths of a database's WAL (`-wal`) and WAL index (`-shm`). `realPath`: without links. */
export const companionsOf = (realPath: string): readonly [log: FilePlace, index: FilePlace] => [
  placeOf(`${realPath}-wal`),
  placeOf(`${realPath}-shm`),
]
