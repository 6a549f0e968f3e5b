import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

/**
 * Maximum size of V8's new space, in bytes: two semi-spaces of 4 MiB. Objects of a proxy live for milliseconds or for
 * hours. V8's default semi-spaces of 16 to 32 MiB would be no faster (docs/PERFORMANCE.md has the figures).
 */
const targetSize = 8_388_608

/** The flags of node set the size of the semi-spaces, which then stays as it is. */
const isSetByFlags = (): boolean =>
  `${process.execArgv.join(" ")} ${process.env["NODE_OPTIONS"] ?? ""}`.includes("semi-space")

const newSpaceSize = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? targetSize

/** V8 grows the new space when enough objects survive collections. So this allocates survivors until it has grown. */
const growOnce = (): void => {
  const survivors: Array<object> = []
  for (let round = 0; round < 16 && newSpaceSize() < targetSize; round++)
    for (let count = 0; count < 10_000; count++) survivors.push({ round, count })
}

/**
 * Gives this process a small new space. Call this before anything else is loaded, because the new space does not
 * shrink.
 *
 * `--max-semi-space-size` would do the same, but Node reads it only at its start, and the command `ss-proxy` passes no
 * flags to it. V8 reads the growth factor at each growth (Node 20 to 25): here it is 4 for one growth, then 1.
 */
export const limitYoungGeneration = (): void => {
  if (isSetByFlags()) return
  setFlagsFromString("--semi-space-growth-factor=4")
  growOnce()
  setFlagsFromString("--semi-space-growth-factor=1")
}
