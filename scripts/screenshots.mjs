// `npm run screenshots`: the pictures of docs/DASHBOARD.md, taken in Chromium from the page in dist/, into docs/img. What they
// show is made up (test/dashboard/Scenery.ts). Another folder may be named.
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bundle = join(root, "dist", `screenshots-${process.pid}.mjs`)
process.on("exit", () => rmSync(bundle, { force: true }))

const program = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim())
  .find((path) => path !== "")
if (program === undefined) {
  process.stderr.write("There is no Chromium here. Install it: apt install chromium\n")
  process.exit(1)
}

await build({
  absWorkingDir: root,
  entryPoints: ["test/dashboard/Pictures.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
  outfile: bundle,
})

const { documented, takePictures } = await import(pathToFileURL(bundle).href)
await takePictures(program, resolve(process.argv[2] ?? join(root, "docs", "img")), documented)
