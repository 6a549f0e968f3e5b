// `npm run bench:profile`: see `--help`.
import { prepare } from "./Setup.mjs"

if (!process.argv.includes("--help")) prepare()
const { profile } = await import("./Profile.mjs")
await profile(process.argv.slice(2))
