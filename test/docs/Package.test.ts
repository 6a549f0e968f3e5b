import { existsSync, readdirSync, readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "./Blocks.js"

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
const { dependencies, devDependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifestOf(root)
const dist = join(root, "dist")

/** What a file imports, as it names it. The examples in its comments do not count. */
const importsOf = (file: string): ReadonlyArray<string> =>
  [
    ...readFileSync(file, "utf8")
      .replaceAll(/^ *\*.*$/gm, "")
      .matchAll(/(?:\bfrom|^import|\bimport\()\s*"([^"\s]+)"/gm),
  ].map(([, name = ""]) => name)

const isBuiltIn = (name: string): boolean => name.startsWith("node:") || builtinModules.includes(name)

/** `@scope/name/path` and `name/path` without the path. */
const packageOf = (name: string): string => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name

/** The packages that these files import, and the files that they import, and so on. */
const packagesOf = (files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const waiting = [...files]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    for (const name of importsOf(file)) {
      if (!name.startsWith(".")) {
        if (!isBuiltIn(name)) packages.add(packageOf(name))
        continue
      }
      const path = join(dirname(file), name)
      waiting.push(file.endsWith(".d.ts") ? path.replace(/\.js$/, ".d.ts") : path)
    }
  }
  return [...packages].toSorted()
}

describe("the package, as npm installs it", () => {
  it("has a peer for every package in the types of the library: there must be one copy of it", () => {
    expect(existsSync(join(dist, "types/index.d.ts"))).toBe(true)
    expect(packagesOf([join(dist, "types/index.d.ts")])).toEqual(Object.keys(peerDependencies))
  })

  it("has all packages that the library imports when it runs, and no others", () => {
    expect(packagesOf([join(dist, "index.js")])).toEqual(Object.keys(peerDependencies).toSorted())
  })

  it("imports no package when the program runs: who has only that needs no peer", () => {
    const files = readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((file) => ["bin.js", "worker.js"].includes(file) || /^chunks\/.*\.js$/.test(file))
      .map((file) => join(dist, file))
    expect(packagesOf(files)).toEqual([])
    expect(peerDependenciesMeta).toEqual({ effect: { optional: true } })
  })

  it("can be installed without the one package that has to be compiled", () => {
    expect(dependencies).toBeUndefined()
    expect(Object.keys(optionalDependencies)).toEqual(["better-sqlite3"])
  })

  it("has the licence of every package that is built in", () => {
    const licences = readFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), "utf8")
    const titles = [...licences.matchAll(/^(\S+) \d+\.\d+\.\d+\S* \(\S+\)$/gm)].map(([, name = ""]) => name)
    // esbuild names each file in a comment before its code, but for the dashboard, which is minified.
    const builtIn = readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".js"))
      .flatMap((file) => [
        ...readFileSync(join(dist, file), "utf8").matchAll(/^\s*\/\/ node_modules\/(?:.*\/node_modules\/)?(.*)$/gm),
      ])
      .map(([, file = ""]) => packageOf(file))
    const named = new Set([...builtIn, "uplot"])
    expect(named.size).toBeGreaterThan(20)
    // Of some, nothing is left but the comment.
    expect([...named].filter((name) => !titles.includes(name))).toEqual([])
    expect(licences.match(/Permission is hereby granted|Permission to use|Apache License/g)?.length).toBeGreaterThan(10)
  })

  it("has no source maps, nor says that it has: nothing in it is minified", () => {
    const files = readdirSync(dist, { recursive: true, encoding: "utf8" })
    expect(files.filter((file) => file.endsWith(".map"))).toEqual([])
    const code = files.filter((file) => file.endsWith(".js")).map((file) => readFileSync(join(dist, file), "utf8"))
    expect(code.filter((text) => /^\/\/# sourceMappingURL=/m.test(text))).toEqual([])
  })

  it("takes the versions of its peers whose minor version it is built with, from the first, and newer ones that fit", () => {
    // `npm run test:peers` tries both ends.
    for (const [name, range] of Object.entries(peerDependencies))
      expect(range).toBe(`^${devDependencies[name]?.replace(/\d+$/, "0")}`)
  })

  it("builds nothing in that asks for another version of a peer", () => {
    for (const [name, version] of Object.entries(devDependencies)) {
      if (!name.startsWith("@effect/")) continue
      const asked = manifestOf(join(root, "node_modules", name)).peerDependencies?.["effect"]
      const least = /^\^(\d+)\.(\d+)\.(\d+)$/.exec(asked ?? "")
      if (asked === undefined) continue
      const [, major, minor = 0] = /^\^(\d+)\.(\d+)\./.exec(peerDependencies["effect"] ?? "") ?? []
      expect(least?.[1], `${name} ${version} asks for effect ${asked}`).toBe(major)
      expect(Number(least?.[2])).toBeLessThanOrEqual(Number(minor))
    }
  })
})
