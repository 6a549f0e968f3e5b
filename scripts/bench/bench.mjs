// `npm run bench`: see `--help`.
import { prepare } from "./Setup.mjs"

const wantsHelp = process.argv.includes("--help")
if (!wantsHelp) prepare()
const { benchmark } = await import("./Benchmark.mjs")
await benchmark(process.argv.slice(2))
