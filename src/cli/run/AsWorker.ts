import { Context } from "effect"
import type { Role } from "../../workers/Role.js"

/** What this process is to a supervisor that has started it; `undefined`: it was started by somebody else. */
export class AsWorker extends Context.Reference<AsWorker>()("@ss-proxy/AsWorker", {
  defaultValue: (): Role | undefined => undefined,
}) {}
