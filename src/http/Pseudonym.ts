import { randomBytes } from "node:crypto"
import { Context } from "effect"

/**
 * This proxy's name in `Via` (RFC 9110 section 7.6.3), where whoever has started the process says so: several processes of one
 * proxy have one name.
 */
export class Pseudonym extends Context.Reference<Pseudonym>()("@ss-proxy/Pseudonym", {
  defaultValue: (): string | undefined => undefined,
}) {}

/** A name in `Via` that no other proxy has. */
export const newPseudonym = (): string => `ss-proxy-${randomBytes(4).toString("hex")}`
