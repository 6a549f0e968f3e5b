// The options of esbuild for the program and the library.
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const manifest = createRequire(import.meta.url)("../package.json")

/** Options that the program and the library share. */
export const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  logLevel: "warning",
  // Packages that are bundled may be CommonJS, and require modules of Node.
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  define: { __SS_PROXY_VERSION__: JSON.stringify(manifest.version) },
}

/** The program, split into several files, so that a command loads only the code that it needs. */
export const programBundle = {
  ...common,
  entryPoints: { bin: "src/bin.ts" },
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  minifySyntax: true,
  treeShaking: true,
  external: ["better-sqlite3"],
}
