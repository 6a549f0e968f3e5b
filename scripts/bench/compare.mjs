// `npm run bench:compare`: see `--help`.
import { programs } from "./process/Machine.mjs"
import { prepare } from "./Setup.mjs"

// The builds bring all that they need; only the load may be a package, where there is no wrk.
if (!process.argv.includes("--help") && programs.wrk === undefined) prepare()
const { compare } = await import("./compare/Comparison.mjs")
await compare(process.argv.slice(2))
