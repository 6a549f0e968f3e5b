// Builds dist/: the program (bundled, so that it starts fast), the library and the library's types. `effect` stays an import
// of the library, so that an embedder's own is used; what is only used within is built in, and asks nobody for a version.
import { spawnSync } from "node:child_process"
import { chmodSync, renameSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { version, dependencies, peerDependencies } = createRequire(import.meta.url)("../package.json")

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  sourcemap: true,
  logLevel: "warning",
  define: { __SS_PROXY_VERSION__: JSON.stringify(version) },
}

// Built beside dist/ and put in its place at the end, so that what is there keeps working meanwhile.
const fresh = `dist.${process.pid}`
process.on("exit", () => rmSync(join(root, fresh), { recursive: true, force: true }))

await build({
  ...common,
  entryPoints: { bin: "src/bin.ts" },
  outdir: fresh,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  minifySyntax: true,
  treeShaking: true,
  external: ["better-sqlite3"],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
})

const imported = [...Object.keys(dependencies), ...Object.keys(peerDependencies)]
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
