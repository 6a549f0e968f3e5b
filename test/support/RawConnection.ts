import { Effect } from "effect"
import type { Socket } from "node:net"
import type { Changes, NotSeen } from "./Changes.js"

/** How the other side left: with FIN, or with RST. */
export type Departure = "finished" | "reset"

/** One end of a TCP connection that records all it gets, and can await it. Bytes are latin1 where they are text. */
export class RawConnection {
  private chunks: Array<Buffer> = []
  private departure: Departure | undefined
  private closed = false

  constructor(
    readonly socket: Socket,
    protected readonly changes: Changes,
  ) {
    socket.setNoDelay(true)
    socket.on("data", (data) => {
      this.chunks.push(data)
      changes.announce()
    })
    socket.on("end", () => this.ended())
    // ECONNRESET is what a test may look for; any other failure (EPIPE) tells the same: the other side is gone.
    socket.on("error", () => this.departed("reset"))
    socket.on("close", () => {
      this.closed = true
      changes.announce()
    })
  }

  /** All bytes that arrived. */
  get received(): Buffer {
    const [first, ...more] = this.chunks
    if (first === undefined) return Buffer.alloc(0)
    if (more.length > 0) this.chunks = [Buffer.concat(this.chunks)]
    return this.chunks[0] ?? first
  }

  /** All bytes that arrived, as latin1. */
  get text(): string {
    return this.received.toString("latin1")
  }

  /** Whether the other side is still there, as far as is known. */
  get isOpen(): boolean {
    return this.departure === undefined && !this.closed
  }

  /** Whether no more bytes can come. */
  get isOver(): boolean {
    return !this.isOpen
  }

  /** Sends the pieces, each as a write of its own that the kernel has taken before the next. */
  send(...pieces: ReadonlyArray<string | Buffer>): Effect.Effect<void> {
    return Effect.forEach(
      pieces,
      (piece) =>
        Effect.async<void>((resume) => {
          const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece
          // A failed write is no failure of the step: that the other side is gone shows in `gone`.
          this.socket.write(bytes, () => resume(Effect.void))
        }),
      { discard: true },
    )
  }

  /** Sends FIN; what the other side sends is still read. */
  get finish(): Effect.Effect<void> {
    return Effect.sync(() => this.socket.end())
  }

  /** Sends RST. */
  get reset(): Effect.Effect<void> {
    return Effect.sync(() => this.socket.resetAndDestroy())
  }

  /** Stops reading, so that the other side meets a full window. */
  get stopReading(): Effect.Effect<void> {
    return Effect.sync(() => this.socket.pause())
  }

  /** Reads on. */
  get readOn(): Effect.Effect<void> {
    return Effect.sync(() => this.socket.resume())
  }

  /** Waits until these bytes are among what arrived. */
  seen(text: string): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      `${JSON.stringify(text.slice(0, 80))}`,
      () => this.received.includes(text, 0, "latin1"),
      () => this.description,
    )
  }

  /** Waits until what arrived is as it should be. */
  shows(what: string, holds: () => boolean): Effect.Effect<void, NotSeen> {
    return this.changes.until(what, holds, () => this.description)
  }

  /** Waits until this many bytes arrived. */
  seenBytes(count: number): Effect.Effect<void, NotSeen> {
    return this.changes.until(
      `${count} bytes`,
      () => this.received.length >= count,
      () => this.description,
    )
  }

  /** Waits until the other side has left, for as long as it takes. */
  get left(): Effect.Effect<void> {
    return this.changes.when(() => this.isOver)
  }

  /** Waits until the other side has left, and tells how; fails when it does not leave soon. */
  get gone(): Effect.Effect<Departure, NotSeen> {
    return this.changes
      .until(
        "the other side to leave",
        () => this.isOver,
        () => this.description,
      )
      .pipe(Effect.map(() => this.departure ?? "reset"))
  }

  /** What is known about the connection, for messages. */
  get description(): string {
    const { text } = this
    const shown = text.length > 2_000 ? `${text.slice(0, 2_000)}… (${text.length} bytes)` : text
    return `${this.departure ?? "open"} ${JSON.stringify(shown)}`
  }

  /**
   * Where RST comes together with the last data, libuv reports a plain end. An attempt to write nothing tells them apart:
   * it sends nothing, and fails on a connection that was reset.
   */
  private ended(): void {
    if (this.socket.writable) this.socket.write("", (error) => this.departed(error ? "reset" : "finished"))
    else this.departed("finished")
  }

  private departed(how: Departure): void {
    this.departure ??= how
    this.changes.announce()
  }
}
