// `npm run bench:check`: see `--help`.
import { prepare } from "./Setup.mjs"

if (!process.argv.includes("--help")) prepare()
const { check } = await import("./RegressionCheck.mjs")
await check(process.argv.slice(2))
