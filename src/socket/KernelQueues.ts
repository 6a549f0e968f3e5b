import { createReadStream, fstatSync } from "node:fs"
import type { Socket } from "node:net"
import { descriptorOf } from "./Unread.js"

/** Where Linux lists its TCP connections, a line each. */
const listings = ["/proc/net/tcp", "/proc/net/tcp6"]

/** Hears how many bytes a peer has not acknowledged; `undefined` where the system does not tell. */
type Asker = (bytes: number | undefined) => void

/**
 * Tells how much of what was written to a socket its peer has not taken yet, which the kernel knows: it says that a socket
 * is writable only when a third of its buffer is free, and that can be a megabyte. Linux tells it in a list of all
 * connections; that is read at most once in `interval`, for all who ask, and never while nobody does.
 */
export class KernelQueues {
  private askers = new Map<string, Asker>()
  private timer: NodeJS.Timeout | undefined
  private nextRead = 0

  /** `interval`: milliseconds. */
  constructor(private readonly interval: number) {}

  /** Asks once. */
  ask(socket: Socket, asker: Asker): void {
    const inode = inodeOf(socket)
    if (inode === undefined) return asker(undefined)
    this.askers.set(inode, asker)
    this.readSoon()
  }

  /** Answers nobody any more. */
  stop(): void {
    clearTimeout(this.timer)
    this.askers.clear()
  }

  private readSoon(): void {
    this.timer ??= setTimeout(this.read, Math.max(0, this.nextRead - performance.now())).unref()
  }

  private readonly read = async (): Promise<void> => {
    const asked = this.askers
    this.askers = new Map()
    const found = new Map<string, number>()
    for (const listing of listings) await collect(listing, asked, found)
    this.nextRead = performance.now() + this.interval
    this.timer = undefined
    // Who has asked meanwhile may be in none of the lists that were read.
    if (this.askers.size > 0) this.readSoon()
    for (const [inode, asker] of asked) asker(found.get(inode))
  }
}

/** What a socket is called in the list. */
const inodeOf = (socket: Socket): string | undefined => {
  const descriptor = descriptorOf(socket)
  return descriptor === undefined ? undefined : String(fstatSync(descriptor).ino)
}

/** Adds the bytes in the queues of the wanted sockets. What cannot be read tells nothing. */
const collect = async (
  listing: string,
  wanted: ReadonlyMap<string, unknown>,
  found: Map<string, number>,
): Promise<void> => {
  let rest = ""
  try {
    for await (const piece of createReadStream(listing, { encoding: "latin1" })) {
      const lines = `${rest}${piece}`.split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) collectLine(line, wanted, found)
    }
  } catch {
    // Another system, or one that shows its lists to nobody.
  }
}

/** `sl: local remote st tx:rx tr:when retrnsmt uid timeout inode …`, numbers of bytes in hexadecimal. */
const collectLine = (line: string, wanted: ReadonlyMap<string, unknown>, found: Map<string, number>): void => {
  const [, , , , queues = "", , , , , inode = ""] = line.trimStart().split(/ +/)
  if (wanted.has(inode)) found.set(inode, Number.parseInt(queues, 16))
}
