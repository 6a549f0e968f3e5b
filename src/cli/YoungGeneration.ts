import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8"

/**
 * How large V8's space for new objects may become, in bytes: twice 4 MiB. What a proxy makes is gone within milliseconds or
 * stays for hours; V8 would take 16 to 32 MiB twice for that, and be no faster (docs/PERFORMANCE.md has the figures).
 */
const enough = 8_388_608

/** Whoever runs node with a size of their own knows why. */
const isChosen = (): boolean =>
  `${process.execArgv.join(" ")} ${process.env["NODE_OPTIONS"] ?? ""}`.includes("semi-space")

const spaceForNew = (): number =>
  getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space")?.space_size ?? enough

/** V8 lets this space grow when as many bytes have survived as it holds: some do, until it has. */
const growOnce = (): void => {
  const survivors: Array<object> = []
  for (let round = 0; round < 16 && spaceForNew() < enough; round++)
    for (let count = 0; count < 10_000; count++) survivors.push({ round, count })
}

/**
 * Gives this process a small space for new objects. To be called before anything else is loaded: the space does not shrink.
 *
 * `--max-semi-space-size` would say the same, but is read when node starts only, and whoever calls `ss-proxy` gives node
 * no flags. The factor by which the space grows is read at each growth, in Node 20 to 25: by four once, then no more.
 */
export const limitYoungGeneration = (): void => {
  if (isChosen()) return
  setFlagsFromString("--semi-space-growth-factor=4")
  growOnce()
  setFlagsFromString("--semi-space-growth-factor=1")
}
