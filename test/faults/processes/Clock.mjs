// Loaded into the proxy before its program: at SIGWINCH the clock is set as far ahead, or back, as the file says that
// CLOCK_FILE names, in milliseconds. The monotonic clock is not.
import { readFileSync } from "node:fs"

const Real = Date
let offset = 0

class Jumping extends Real {
  constructor(...args) {
    if (args.length === 0) super(Real.now() + offset)
    else super(...args)
  }

  static now() {
    return Real.now() + offset
  }
}
globalThis.Date = Jumping
process.on("SIGWINCH", () => (offset = Number(readFileSync(process.env.CLOCK_FILE, "utf8"))))
