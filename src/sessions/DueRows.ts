import type { LiveSessions } from "./LiveSessions.js"

/** Which rows have to be read again although nobody asks for them: live traffic hangs on their sessions. */
export class DueRows {
  private all = false
  private readonly keys = new Set<string>()

  get isEmpty(): boolean {
    return !this.all && this.keys.size === 0
  }

  /** Whether all that are outdated are due, be they named or not. */
  get areAll(): boolean {
    return this.all
  }

  /** All that are outdated. */
  addAll(): void {
    this.all = true
    this.keys.clear()
  }

  add(key: string): void {
    if (!this.all) this.keys.add(key)
  }

  /** The keys of those that are due still. From now on none is. */
  take(sessions: LiveSessions): ReadonlyArray<string> {
    const keys = this.all ? sessions.outdated() : sessions.outdatedAmong(this.keys)
    this.all = false
    this.keys.clear()
    return keys
  }
}
