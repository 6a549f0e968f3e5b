import type { IncomingMessage } from "node:http"

/** What a request has changed, for the log: fields of its line, such as `session`. */
export type ChangeNote = Readonly<Record<string, string | number>>

/** What requests have changed, noted by who has changed it. A later note of a request takes the place of the one before. */
export class ChangeNotes {
  private readonly notes = new WeakMap<IncomingMessage, ChangeNote>()

  note(request: IncomingMessage, note: ChangeNote): void {
    this.notes.set(request, note)
  }

  of(request: IncomingMessage): ChangeNote | undefined {
    return this.notes.get(request)
  }
}
