// `npm run recording`: runs the commands of README.md beside a proxy, and draws what they printed, and when, into
// docs/img/recording.svg. Another file may be named.
import { rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { root, setUp } from "./setup.mjs"

setUp()

// As deep below the project's folder as the sources are, which find it by that.
const bundle = join(root, "node_modules", ".cache", `recording-${process.pid}.mjs`)
process.on("exit", () => rmSync(bundle, { force: true }))

await build({
  absWorkingDir: root,
  stdin: {
    contents: 'export { record } from "./Recording.js"; export { drawRecording } from "./RecordingPicture.js"',
    resolveDir: join(root, "test", "docs"),
  },
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "warning",
  outfile: bundle,
})

const { drawRecording, record } = await import(pathToFileURL(bundle).href)
writeFileSync(resolve(process.argv[2] ?? join(root, "docs", "img", "recording.svg")), drawRecording(await record()))
