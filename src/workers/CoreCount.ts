import { readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"

/** So many cores a quota of control groups allows (cpu.max of cgroups(7), version 2); `undefined`: it says nothing. */
const quotaIn = (text: string): number | undefined => {
  const [, quota, period] = /^(\d+) (\d+)\s*$/.exec(text) ?? []
  return quota === undefined ? undefined : Number(quota) / Number(period)
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}

/** The folders of the group of this process and of those above it. In a container its own one is the root. */
const groupFolders = (root: string, own: string): ReadonlyArray<string> => {
  const names = own.split("/").filter((name) => name !== "")
  return [...names.keys(), names.length].map((depth) => join(root, ...names.slice(0, depth)))
}

/**
 * How many processes can be at work at a time: the cores that this one may use, or fewer where the quota of its control group
 * says so, which Node does not know of, or only of one above a core. At least 1.
 */
export const coreCount = (
  cores: number = availableParallelism(),
  root = "/sys/fs/cgroup",
  membership = "/proc/self/cgroup",
): number => {
  const own = /^0::(.*)$/m.exec(read(membership))?.[1] ?? ""
  const quotas = groupFolders(root, own).flatMap((folder) => quotaIn(read(join(folder, "cpu.max"))) ?? [])
  return Math.max(1, Math.min(cores, ...quotas.map(Math.ceil)))
}
