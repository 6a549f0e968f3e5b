import { Data, Effect } from "effect"
import type { StoreUnavailable } from "../domain/ProxyError.js"
import { isSameRow, isThere, type RowsRefused, type RowStore, type StoredRow } from "../sessions/RowStore.js"

/** How sessions are copied. */
export interface CopyOptions {
  /** A session takes the place of one that has its id and differs. Otherwise the target may have none but such as are the same. */
  readonly replace: boolean
  /** Compares alone, and writes nothing. */
  readonly dryRun: boolean
}

/** What is being done. */
export type CopyStage = "checking" | "copying" | "verifying"

/** Told how far a copy is, and what is left out. */
export interface CopyWatcher {
  /** So many of all sessions have been looked at in this stage. */
  readonly reached: (stage: CopyStage, done: number) => void
  /** This session is not copied; `reason`: a phrase about it. */
  readonly leftOut: (id: string, reason: string) => Effect.Effect<void>
}

/** The target has sessions that are not those of the source, so nothing was written. */
export class TargetInUse extends Data.TaggedError("TargetInUse")<{
  readonly count: number
  /** The first of them. */
  readonly ids: ReadonlyArray<string>
}> {}

/** What a copy has come to. */
export interface Copied {
  added: number
  replaced: number
  /** They were there already, and the same. */
  same: number
  leftOut: number
  /** Sessions with a time that cannot be read, which is left empty. */
  oddTimes: number
}

/** What was found in the target at the end, where each session of the source was compared with its copy. */
export interface Verified {
  readonly sessions: number
  /** Those with policies of their own, and those of which something was asked. */
  readonly policies: number
  readonly controls: number
  readonly byStatus: ReadonlyMap<string, number>
  /** Sessions that differ, or are missing: somebody changed them meanwhile. */
  readonly differing: number
  /** The first of them. */
  readonly ids: ReadonlyArray<string>
  /** Sessions that only the target has. */
  readonly others: number
}

const namedAtMost = 3

/** The rows of a store that another has, by their ids. */
const twinsIn = (store: RowStore, rows: ReadonlyArray<StoredRow>) =>
  Effect.map(store.find(rows.map(({ id }) => id)), (found) => new Map(found.map((row) => [row.id, row])))

/** Counts ids, and keeps the first. */
class Named {
  count = 0
  readonly ids: Array<string> = []

  add(id: string): void {
    this.count++
    if (this.ids.length < namedAtMost) this.ids.push(id)
  }
}

/** Copies the sessions of one store to another as they stand, a page at a time, each page by one change. */
export class SessionCopy {
  readonly copied: Copied = { added: 0, replaced: 0, same: 0, leftOut: 0, oddTimes: 0 }
  readonly #leftOut = new Set<string>()

  constructor(
    private readonly source: RowStore,
    private readonly target: RowStore,
    private readonly options: CopyOptions,
    private readonly watcher: CopyWatcher,
  ) {}

  /** Checks and copies. What is in the target stays there whatever ends this, and is passed over the next time. */
  get run(): Effect.Effect<void, TargetInUse | StoreUnavailable> {
    return Effect.gen(this, function* () {
      if (!this.options.replace) yield* this.checkTarget
      let done = 0
      yield* this.source.forEachPage((rows) =>
        Effect.gen(this, function* () {
          yield* this.copyPage(rows)
          done += rows.length
          this.watcher.reached("copying", done)
        }),
      )
    })
  }

  /** That the target has nothing but what an earlier copy has left there. */
  private get checkTarget(): Effect.Effect<void, TargetInUse | StoreUnavailable> {
    return Effect.gen(this, function* () {
      const strange = new Named()
      let done = 0
      yield* this.target.forEachPage((rows) =>
        Effect.gen(this, function* () {
          const twins = yield* twinsIn(this.source, rows)
          for (const row of rows) {
            const twin = twins.get(row.id)
            if (twin === undefined || !isSameRow(row, twin)) strange.add(row.id)
          }
          done += rows.length
          this.watcher.reached("checking", done)
        }),
      )
      if (strange.count > 0) return yield* new TargetInUse({ count: strange.count, ids: strange.ids })
    })
  }

  private copyPage(rows: ReadonlyArray<StoredRow>): Effect.Effect<void, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const { copied, options } = this
      const twins = yield* twinsIn(this.target, rows)
      const added: Array<StoredRow> = []
      const replacing: Array<StoredRow> = []
      for (const row of rows) {
        const twin = twins.get(row.id)
        if (row.hasOddTime) copied.oddTimes++
        if (row.fault !== undefined) yield* this.leaveOut(row.id, row.fault)
        else if (twin === undefined) added.push(row)
        else if (isSameRow(row, twin)) copied.same++
        else if (options.replace) replacing.push(row)
        else yield* this.leaveOut(row.id, `${isThere}, and differs`)
      }
      copied.added += yield* this.write(added)
      copied.replaced += yield* this.write(replacing)
    })
  }

  /** Writes rows, and gives how many of them are written: where a store refuses some, it is found out which. */
  private write(rows: ReadonlyArray<StoredRow>): Effect.Effect<number, StoreUnavailable> {
    const { dryRun, replace } = this.options
    if (rows.length === 0 || dryRun) return Effect.succeed(rows.length)
    return this.target.write(rows, replace).pipe(
      Effect.as(rows.length),
      Effect.catchTag("RowsRefused", (refused) => this.writeParts(rows, refused)),
    )
  }

  private writeParts(rows: ReadonlyArray<StoredRow>, { reason }: RowsRefused): Effect.Effect<number, StoreUnavailable> {
    const [only] = rows
    if (only !== undefined && rows.length === 1) return Effect.as(this.leaveOut(only.id, reason), 0)
    const middle = Math.ceil(rows.length / 2)
    return Effect.zipWith(
      this.write(rows.slice(0, middle)),
      this.write(rows.slice(middle)),
      (one, other) => one + other,
    )
  }

  private leaveOut(id: string, reason: string): Effect.Effect<void> {
    this.copied.leftOut++
    this.#leftOut.add(id)
    return this.watcher.leftOut(id, reason)
  }

  /** Reads all sessions again on both sides, and compares them. */
  get verify(): Effect.Effect<Verified, StoreUnavailable> {
    return Effect.gen(this, function* () {
      const differing = new Named()
      const byStatus = new Map<string, number>()
      let [sessions, policies, controls, present, done] = [0, 0, 0, 0, 0]
      yield* this.source.forEachPage((rows) =>
        Effect.gen(this, function* () {
          const twins = yield* twinsIn(this.target, rows)
          present += twins.size
          for (const row of rows) {
            if (row.fault !== undefined || this.#leftOut.has(row.id)) continue
            const twin = twins.get(row.id)
            if (twin === undefined || !isSameRow(row, twin)) {
              differing.add(row.id)
              continue
            }
            sessions++
            if (twin.policy !== undefined) policies++
            if (twin.control !== undefined) controls++
            byStatus.set(twin.status, (byStatus.get(twin.status) ?? 0) + 1)
          }
          done += rows.length
          this.watcher.reached("verifying", done)
        }),
      )
      const others = Math.max(0, (yield* this.target.count) - present)
      return { sessions, policies, controls, byStatus, differing: differing.count, ids: differing.ids, others }
    })
  }
}
