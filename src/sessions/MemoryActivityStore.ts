import { Effect, Layer } from "effect"
import { ActivityStore, pageSize } from "./ActivityStore.js"
import { latestOf, storedTimes, type StoredActivity } from "./SessionActivity.js"

/** Activity that lives as long as the layer: for tests, and for who embeds the proxy and keeps no file. */
export const layerMemory: Layer.Layer<ActivityStore> = Layer.sync(ActivityStore, () => make())

const write = (rows: Map<string, StoredActivity>, { sessionId, ...given }: StoredActivity): void => {
  const { lastRequestAt, lastClientAt, lastServerAt, lastKind } = given
  const times = { lastRequestAt, lastClientAt, lastServerAt, lastKind }
  const known = rows.get(sessionId)
  rows.set(sessionId, { sessionId, ...(known === undefined ? times : storedTimes(known, times, Date.now())) })
}

/** SQLite's order of text: by the bytes of its UTF-8. */
const byId = (one: StoredActivity, other: StoredActivity): number =>
  Buffer.compare(Buffer.from(one.sessionId), Buffer.from(other.sessionId))

const make = (): typeof ActivityStore.Service => {
  const rows = new Map<string, StoredActivity>()
  return {
    write: (given) =>
      Effect.sync(() => {
        for (const row of given) write(rows, row)
      }),
    find: (ids) => Effect.sync(() => ids.flatMap((id) => rows.get(id) ?? [])),
    page: (after) =>
      Effect.sync(() => {
        const from = Buffer.from(after)
        const behind = Array.from(rows.values()).filter(
          ({ sessionId }) => Buffer.compare(Buffer.from(sessionId), from) > 0,
        )
        return behind.sort(byId).slice(0, pageSize)
      }),
    forget: (ids, before) =>
      Effect.sync(() => {
        for (const id of ids) {
          const row = rows.get(id)
          if (row !== undefined && latestOf(row) < before) rows.delete(id)
        }
      }),
  }
}
