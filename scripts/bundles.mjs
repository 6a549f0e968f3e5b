// The options of esbuild for the program and the library.
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const manifest = createRequire(import.meta.url)("../package.json")

/** Packages that a bundled package would use if they were installed, which they are not. */
export const absent = ["pg-native"]

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

const effectImport = /^import \{([^}]*)\} from "effect"$/gm

/**
 * Imports the modules of `effect` one by one. By its index, `Exit.succeed` in the bundle is a getter on an object, called for
 * every request. By the module it is the function itself, and what nobody uses of the module is left out.
 *
 * @type {import("esbuild").Plugin}
 */
const effectModules = {
  name: "effect-modules",
  setup: ({ onLoad }) => {
    const folder = dirname(createRequire(import.meta.url).resolve("effect/package.json"))
    /** @param {string} names */
    const importsOf = (names) =>
      names
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && !name.startsWith("type "))
        .map((name) => {
          const [exported = "", local = exported] = name.split(" as ")
          const isModule = existsSync(join(folder, "dist", "esm", `${exported}.js`))
          return isModule ? `import * as ${local} from "effect/${exported}"` : `import { ${name} } from "effect"`
        })
        .join("; ")
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!path.startsWith(join(root, "src"))) return undefined
      const contents = readFileSync(path, "utf8").replace(effectImport, (_, names) => importsOf(names))
      return { contents, loader: "ts" }
    })
  },
}

/** The program, split into several files, so that a command loads only the code that it needs. */
export const programBundle = {
  ...common,
  entryPoints: { bin: "src/bin.ts", worker: "src/worker.ts" },
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  minifySyntax: true,
  treeShaking: true,
  external: absent,
  // The global of this name is a getter, which is called at each look at the clock.
  inject: ["scripts/performance.mjs"],
  plugins: [effectModules],
}
