import { readdir, readFile, stat } from "node:fs/promises"

/** Where Linux shows what is open. */
const folder = "/proc/self/fd"

/** Where only a list tells how many there are, it is read at most so often, in milliseconds: it may be long. */
const listEvery = 30_000

/** Counts the file descriptors of this process; NaN where that is not known, which is everywhere but on Linux. */
export class OpenFiles {
  /** As of the last look. */
  open = Number.NaN
  /** Most that there may be. */
  most = Number.NaN
  private listedAt = Number.NEGATIVE_INFINITY

  /** Looks again. Reads in threads of Node's own, and never fails. */
  async look(): Promise<void> {
    try {
      if (Number.isNaN(this.most)) this.most = await readLimit()
      // Since Linux 6.2 this is their number, and 0 before.
      const { size } = await stat(folder)
      this.open = size > 0 ? size : await this.listed()
    } catch {
      this.open = Number.NaN
    }
  }

  private async listed(): Promise<number> {
    const now = performance.now()
    if (now - this.listedAt < listEvery) return this.open
    this.listedAt = now
    return (await readdir(folder)).length
  }
}

const readLimit = async (): Promise<number> => {
  const limits = await readFile("/proc/self/limits", "utf8")
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
  return soft === undefined ? Number.NaN : Number(soft)
}
