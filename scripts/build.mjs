// Builds dist/: the program (bundled, so that it starts fast), the library and the library's types. `effect` stays an import
// of the library, so that an embedder's own is used; what is only used within is built in, and asks nobody for a version.
import { spawnSync } from "node:child_process"
import { chmodSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { common, manifest, programBundle, root } from "./bundles.mjs"

// Built beside dist/ and put in its place at the end, so that what is there keeps working meanwhile.
const fresh = `dist.${process.pid}`
process.on("exit", () => rmSync(join(root, fresh), { recursive: true, force: true }))

await build({ ...programBundle, outdir: fresh })

const imported = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]
await build({
  ...common,
  entryPoints: { index: "src/index.ts" },
  outdir: fresh,
  external: imported.flatMap((name) => [name, `${name}/*`]),
})

const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
const types = spawnSync(process.execPath, [tsc, "-p", "tsconfig.types.json", "--outDir", join(fresh, "types")], {
  cwd: root,
  stdio: "inherit",
})
if (types.status !== 0) process.exit(types.status ?? 1)
chmodSync(join(root, fresh, "bin.js"), 0o755)
rmSync(join(root, "dist"), { recursive: true, force: true })
renameSync(join(root, fresh), join(root, "dist"))
