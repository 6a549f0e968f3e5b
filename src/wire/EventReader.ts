/** An event of a stream of server-sent events (WHATWG HTML section 9.2). */
export interface ServerEvent {
  /** `message` where the stream names none. */
  readonly event: string
  /** As it came. */
  readonly data: string
  /** The last id that the stream has named; empty where it names none. */
  readonly id: string
}

/** The longest event that is taken, in characters: none of the proxy's own is near. */
const longestEvent = 4_194_304

/** Reads such a stream, in whatever pieces it comes. What is not whole at its end is no event. */
export class EventReader {
  private rest = ""
  private event = ""
  private id = ""
  private data: Array<string> = []

  /** The events that are whole with this piece. */
  take(piece: string): ReadonlyArray<ServerEvent> {
    // A carriage return at the end may be half of a line end.
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ""
    return lines.map((line) => this.line(line)).filter((event) => event !== undefined)
  }

  /** Whether more has come without an end than an event can have. */
  get isOverfull(): boolean {
    return this.rest.length + this.data.reduce((sum, { length }) => sum + length, 0) > longestEvent
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") return this.complete()
    const [, name = line, value = ""] = /^([^:]*): ?(.*)$/s.exec(line) ?? []
    if (name === "data") this.data.push(value)
    else if (name === "event") this.event = value
    else if (name === "id" && !value.includes("\0")) this.id = value
    return undefined
  }

  private complete(): ServerEvent | undefined {
    const { data, event, id } = this
    this.data = []
    this.event = ""
    return data.length === 0 ? undefined : { event: event === "" ? "message" : event, data: data.join("\n"), id }
  }
}
