/** One event of a stream (the HTML standard, section 9.2, "Server-sent events"). */
export interface ServerEvent {
  /** `message` where the stream names none. */
  readonly event: string
  readonly data: string
  /** The last id that the stream gave. */
  readonly id: string
}

/** Reads such a stream, in whatever pieces it comes. What is not whole at its end is no event. */
export class EventParser {
  private rest = ""
  private event = ""
  private id = ""
  private data: Array<string> = []

  /** The events that are whole with this piece. */
  push(piece: string): ReadonlyArray<ServerEvent> {
    // A carriage return at the end may be half of a line end.
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/)
    this.rest = lines.pop() ?? ""
    return lines.map((line) => this.line(line)).filter((event) => event !== undefined)
  }

  private line(line: string): ServerEvent | undefined {
    if (line === "") return this.dispatch()
    const [, name = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (name === "data") this.data.push(value)
    else if (name === "event") this.event = value
    else if (name === "id" && !value.includes("\0")) this.id = value
    return undefined
  }

  private dispatch(): ServerEvent | undefined {
    const { data, event, id } = this
    this.data = []
    this.event = ""
    return data.length === 0 ? undefined : { event: event === "" ? "message" : event, data: data.join("\n"), id }
  }
}
