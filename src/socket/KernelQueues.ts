import { createReadStream, fstatSync } from "node:fs"
import type { Socket } from "node:net"
import { descriptorOf } from "./Unread.js"

/** Linux lists its TCP connections in these files, one on each line. */
const listings = ["/proc/net/tcp", "/proc/net/tcp6"]

/** Receives the number of bytes that the peer has not acknowledged; `undefined` where the system does not report it. */
type Asker = (bytes: number | undefined) => void

/**
 * Reads the lengths of the kernel's send queues: how many bytes written to a socket its peer has not acknowledged yet.
 * Writability does not tell: the kernel reports a socket as writable only when a third of its buffer is free, and that
 * can be a megabyte. Linux lists the queues of all connections. The list is read once for all questions, at most once
 * in `interval`, and only when there is a question.
 */
export class KernelQueues {
  private askers = new Map<string, Asker>()
  private timer: NodeJS.Timeout | undefined
  private nextRead = 0

  /** `interval`: milliseconds. */
  constructor(private readonly interval: number) {}

  /** Asks once. A second question about the same socket replaces one that has no answer yet. */
  ask(socket: Socket, asker: Asker): void {
    const inode = inodeOf(socket)
    if (inode === undefined) return asker(undefined)
    this.askers.set(inode, asker)
    this.readSoon()
  }

  /** Drops all questions without an answer. */
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
    // A socket that was asked about during the read may be missing from the lists just read.
    if (this.askers.size > 0) this.readSoon()
    for (const [inode, asker] of asked) asker(found.get(inode))
  }
}

/** The inode number, which identifies a socket in the list. */
const inodeOf = (socket: Socket): string | undefined => {
  const descriptor = descriptorOf(socket)
  return descriptor === undefined ? undefined : String(fstatSync(descriptor).ino)
}

/** Adds the send queues of the wanted sockets to `found`. A list that cannot be read adds nothing. */
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
    // Another system, or a system that does not let this process read its lists.
  }
}

/** `sl: local remote st tx:rx tr:when retrnsmt uid timeout inode …`, numbers of bytes in hexadecimal. */
const collectLine = (line: string, wanted: ReadonlyMap<string, unknown>, found: Map<string, number>): void => {
  const [, , , , queues = "", , , , , inode = ""] = line.trimStart().split(/ +/)
  if (wanted.has(inode)) found.set(inode, Number.parseInt(queues, 16))
}
