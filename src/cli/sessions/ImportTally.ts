import { isForwarding } from "../../domain/Session.js"
import type { Applied } from "../../sessions/SessionRepo.js"
import type { PlacedStep } from "../../transfer/SessionLines.js"
import { InsecureSessions } from "./SessionCheck.js"

/** A number of sessions, in words. */
export const counted = (count: number): string => (count === 1 ? "1 session" : `${count} sessions`)

/** What an import has come to so far. */
export class ImportTally {
  readonly insecure = new InsecureSessions()
  stored = 0
  replaced = 0
  removed = 0
  absent = 0
  /** Stored sessions of a status that does not forward. */
  silent = 0
  /** Stored sessions whose id has a `%`. */
  encoded = 0
  skipped = 0
  batches = 0
  /** The line of the last step that is in force. */
  lastLine = 0

  /** Counts a batch that is in force. */
  add(batch: ReadonlyArray<PlacedStep>, { added, replaced, removed, absent, refused }: Applied): void {
    this.batches++
    this.stored += added + replaced
    this.replaced += replaced
    this.removed += removed
    this.absent += absent
    this.lastLine = batch.at(-1)?.line ?? this.lastLine
    const isRefused = new Set(refused)
    for (const [place, { step }] of batch.entries()) {
      if (step._tag === "Remove" || isRefused.has(place)) continue
      if (!isForwarding(step.session.status)) this.silent++
      if (step.session.id.includes("%")) this.encoded++
      this.insecure.add(step.session)
    }
  }

  /** What was done, such as `imported 2 sessions, 1 of them replaced`. */
  summary(imported: string, removed: string): string {
    const replaced = this.replaced > 0 ? `, ${this.replaced} of them replaced` : ""
    const absent = this.absent > 0 ? `, ${this.absent} to be removed were not there` : ""
    const gone = this.removed > 0 ? `, ${removed} ${this.removed}` : ""
    return `${imported} ${counted(this.stored)}${replaced}${gone}${absent}`
  }

  /** How far it came, for a message about why it ended. */
  get reached(): string {
    if (this.batches === 0) return "nothing was imported"
    const batches = this.batches === 1 ? "1 batch is" : `${this.batches} batches are`
    return `${batches} in force, up to line ${this.lastLine} (${this.summary("stored", "removed")})`
  }
}
