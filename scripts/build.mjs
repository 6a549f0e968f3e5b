// Builds dist/: the program (bundled, so that it starts fast), the library and the library's types. The library imports
// `effect`, so that it uses the copy of the embedding program; packages that are only used internally are bundled.
import { spawnSync } from "node:child_process"
import { chmodSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { absent, common, manifest, programBundle, root } from "./bundles.mjs"
import { writeLicences } from "./licences.mjs"
import { buildPage } from "./page.mjs"

// Built beside dist/, which it replaces at the end, so that the old build works until then.
const fresh = `dist.${process.pid}`
process.on("exit", () => rmSync(join(root, fresh), { recursive: true, force: true }))

const program = await build({ ...programBundle, metafile: true, outdir: fresh })

const page = await buildPage(fresh)

const imported = Object.keys(manifest.peerDependencies)
const library = await build({
  ...common,
  metafile: true,
  entryPoints: { index: "src/index.ts" },
  // What is only loaded when somebody asks for it, such as the admin API, is in files of its own.
  splitting: true,
  chunkNames: "library/[name]-[hash]",
  outdir: fresh,
  external: [...imported.flatMap((name) => [name, `${name}/*`]), ...absent],
})

writeLicences(fresh, [program.metafile, library.metafile, page.metafile])

const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
const types = spawnSync(process.execPath, [tsc, "-p", "tsconfig.types.json", "--outDir", join(fresh, "types")], {
  cwd: root,
  stdio: "inherit",
})
if (types.status !== 0) process.exit(types.status ?? 1)
chmodSync(join(root, fresh, "bin.js"), 0o755)
rmSync(join(root, "dist"), { recursive: true, force: true })
renameSync(join(root, fresh), join(root, "dist"))
