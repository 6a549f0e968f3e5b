// `npm run bench:compare`: see `--help`.
import { programs } from "./process/Machine.mjs"
import { prepare } from "./Setup.mjs"

// The builds contain all that they need. Only the load generator is a package, if wrk is not installed.
if (!process.argv.includes("--help") && programs.wrk === undefined) prepare()
const { compare } = await import("./compare/Comparison.mjs")
await compare(process.argv.slice(2))
