// `npm run screenshots`: the pictures of docs/DASHBOARD.md, taken in Chromium from the page in dist/, into docs/img. What they
// show is made up (test/dashboard/Scenery.ts). Another folder may be named.
import { spawnSync } from "node:child_process"
import { join, resolve } from "node:path"
import { root } from "./setup.mjs"
import { importSources } from "./sources.mjs"

const program = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim())
  .find((path) => path !== "")
if (program === undefined) {
  process.stderr.write("There is no Chromium here. Install it: apt install chromium\n")
  process.exit(1)
}

// Beside the page.
const { documented, takePictures } = await importSources(["test/dashboard/Pictures.ts"], join(root, "dist"))
await takePictures(program, resolve(process.argv[2] ?? join(root, "docs", "img")), documented)
