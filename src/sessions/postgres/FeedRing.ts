import { Option, Schema } from "effect"
import { anySession } from "./PostgresSchema.js"

/** So many notices are kept: who has not asked for longer reads everything again. */
const mostNotices = 1_000

const decodeIds = Schema.decodeUnknownOption(Schema.parseJson(Schema.Array(Schema.String)))

/** The changes that were heard of, by versions: a number in memory that each raises by one. */
export class FeedRing {
  #version = 0
  /** The ids of the versions behind `#base`, in order. */
  #notices: Array<ReadonlyArray<string>> = []
  #base = 0

  get version(): number {
    return this.#version
  }

  /** Ids may be named twice; `undefined` where every session may be another than in version `since`. */
  changes(since: number): ReadonlyArray<string> | undefined {
    return since < this.#base || since > this.#version ? undefined : this.#notices.slice(since - this.#base).flat()
  }

  /** Takes in what a trigger told: a JSON array of ids. Whatever else it is means every session. Gives how many it named. */
  notice(payload: string | undefined): number {
    const ids = payload === anySession ? Option.none() : decodeIds(payload)
    if (Option.isNone(ids)) {
      this.everything()
      return 0
    }
    this.#version++
    this.#notices.push(ids.value)
    if (this.#notices.length > mostNotices) {
      this.#notices.shift()
      this.#base++
    }
    return ids.value.length
  }

  /** Every session may be another from now on. */
  everything(): void {
    this.#base = ++this.#version
    this.#notices = []
  }
}
