// Writes what the documents say of errors: docs/ERRORS.md, and the table in README.md. The test in test/docs fails where
// they are out of date.
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bundle = join(root, "node_modules", `.ss-proxy-docs-${process.pid}.mjs`)
process.on("exit", () => rmSync(bundle, { force: true }))

await build({
  absWorkingDir: root,
  entryPoints: ["test/docs/ErrorReference.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
  outfile: bundle,
})

const { errorsDocument, withShortTable } = await import(pathToFileURL(bundle).href)
const readme = join(root, "README.md")
writeFileSync(join(root, "docs", "ERRORS.md"), errorsDocument())
writeFileSync(readme, withShortTable(readFileSync(readme, "utf8")))
