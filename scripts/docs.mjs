// Writes what the documents say of errors, docs/ERRORS.md and the table in README.md, and of speed, the tables in README.md
// and docs/PERFORMANCE.md from scripts/bench/figures.json. The test in test/docs fails where they are out of date.
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bundle = join(root, "node_modules", `.ss-proxy-docs-${process.pid}.mjs`)
process.on("exit", () => rmSync(bundle, { force: true }))

await build({
  absWorkingDir: root,
  stdin: {
    contents: 'export * from "./ErrorReference.js"; export * from "./SpeedTables.js"',
    resolveDir: join(root, "test", "docs"),
  },
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
  outfile: bundle,
})

const { errorsDocument, withFigures, withShortTable } = await import(pathToFileURL(bundle).href)
const readme = join(root, "README.md")
const performance = join(root, "docs", "PERFORMANCE.md")
const figures = readFileSync(join(root, "scripts", "bench", "figures.json"), "utf8")
writeFileSync(join(root, "docs", "ERRORS.md"), errorsDocument())
writeFileSync(readme, withFigures(withShortTable(readFileSync(readme, "utf8")), figures))
writeFileSync(performance, withFigures(readFileSync(performance, "utf8"), figures))
