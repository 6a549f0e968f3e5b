// Sources in TypeScript, for scripts that use what tests have, too.
import { rmSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { root } from "./setup.mjs"

/**
 * Imports what these sources export. `beside`: where their code is put meanwhile, for those that look for files beside it. Else it
 * is as deep below the project's folder as a test is.
 */
export const importSources = async (sources, beside = join(root, "node_modules", ".cache")) => {
  const bundle = join(beside, `sources-${process.pid}.mjs`)
  process.on("exit", () => rmSync(bundle, { force: true }))
  await build({
    absWorkingDir: root,
    stdin: { contents: sources.map((source) => `export * from "./${source}"`).join("\n"), resolveDir: root },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "warning",
    outfile: bundle,
  })
  return await import(pathToFileURL(bundle).href)
}
