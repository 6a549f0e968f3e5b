// Builds the dashboard: the code and the style of src/dashboard, under names that change with what they hold, the page that
// asks for them, and all of these compressed, so that nothing is compressed while the proxy runs.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { gzipSync } from "node:zlib"
import { build, context } from "esbuild"
import { manifest, root } from "./bundles.mjs"

/** What the page and its parts may weigh together, in bytes. */
export const mostBytes = 120 * 1024
export const mostGzipped = 45 * 1024

/** What uPlot hangs on to itself that no chart here uses: lines are straight. Without it a tenth of its code goes. */
const unused = [
  "(paths.stepped = stepped);",
  "(paths.bars    = bars);",
  "(paths.spline  = monotoneCubic);",
  "uPlot.join = join;",
]

const straightLines = {
  name: "straight lines",
  setup: ({ onLoad }) =>
    onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      const contents = unused.reduce(
        (code, line) => {
          if (!code.includes(line)) throw new Error(`uPlot has no ${line}`)
          return code.replace(line, "")
        },
        readFileSync(path, "utf8"),
      )
      return { contents, loader: "js" }
    }),
}

const options = (outdir) => ({
  absWorkingDir: root,
  entryPoints: { page: "src/dashboard/Main.ts", style: "src/dashboard/style.css" },
  entryNames: "[name]-[hash]",
  outdir: join(outdir, "page"),
  bundle: true,
  minify: true,
  platform: "browser",
  format: "esm",
  target: "es2022",
  tsconfig: join(root, "src", "dashboard", "tsconfig.json"),
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
  plugins: [straightLines],
  define: { __SS_PROXY_VERSION__: JSON.stringify(manifest.version) },
})

/** Puts the names of code and style into the page. */
const writePage = (folder, outputs) => {
  const names = Object.keys(outputs).map((file) => basename(file))
  const [code, style] = [/^page-.*\.js$/, /^style-.*\.css$/].map((form) => names.find((name) => form.test(name)))
  const template = readFileSync(join(root, "src", "dashboard", "index.html"), "utf8")
  writeFileSync(join(folder, "index.html"), template.replace("page.js", code).replace("style.css", style))
  const known = new Set([code, style, "index.html"])
  // Those of an earlier build, while `npm run dev` watches.
  for (const name of readdirSync(folder)) if (!known.has(name)) rmSync(join(folder, name))
  const files = [...known].map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
  const gzipped = files.map(({ name, bytes }) => ({ name, bytes: gzipSync(bytes, { level: 9 }) }))
  for (const { name, bytes } of gzipped) writeFileSync(join(folder, `${name}.gz`), bytes)
  const weight = (all) => all.reduce((sum, { bytes }) => sum + bytes.length, 0)
  if (weight(files) > mostBytes || weight(gzipped) > mostGzipped)
    throw new Error(`the page weighs ${weight(files)} bytes, and ${weight(gzipped)} gzipped: too much`)
}

/** Builds it into `outdir`/page, and says what is in it, as esbuild does. */
export const buildPage = async (outdir) => {
  const folder = join(root, outdir, "page")
  mkdirSync(folder, { recursive: true })
  const { metafile } = await build(options(join(root, outdir)))
  writePage(folder, metafile.outputs)
  return { metafile }
}

/** The same, again at every change. `outdir`: an absolute path. */
export const watchPage = async (outdir) => {
  const folder = join(outdir, "page")
  mkdirSync(folder, { recursive: true })
  const writer = {
    name: "page",
    setup: ({ onEnd }) =>
      onEnd(({ errors, metafile }) => {
        if (errors.length === 0) writePage(folder, metafile.outputs)
      }),
  }
  const watching = await context({ ...options(outdir), plugins: [straightLines, writer] })
  await watching.watch()
  return watching
}
