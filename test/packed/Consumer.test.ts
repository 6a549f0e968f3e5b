// What a program has of the packed library, installed into its folder.
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import ts from "typescript"
import { runTool } from "../support/Tool.js"
import { install, type Installed } from "./Installed.js"

class Packed extends Context.Tag("test/PackedLibrary")<Packed, Installed>() {}

/** Bytes that a user downloads at most. A version that needs more has a reason, and says so here. */
const mostBytes = 2_500_000

/** Without any import of Effect. */
const program = `import { createProxy, type EmbeddedProxy, layerConnections } from "ss-proxy"
// @ts-expect-error What is inside of the package is not for others.
import * as inside from "ss-proxy/dist/index.js"
export const parts = [layerConnections, inside]

export const start = async (signal: AbortSignal): Promise<EmbeddedProxy> => {
  const proxy = await createProxy({
    port: 0,
    signal,
    sessions: { alice: "http://127.0.0.1:9000", bob: { url: "http://127.0.0.1:9001", status: "starting" } },
    onRequest: async ({ header, sessionId }) =>
      header("authorization") === undefined ? { status: 401 } : { set: { "X-User": sessionId } },
    log: ({ level, message, time }) => console.error(time.toISOString(), level, message.toUpperCase()),
  })
  const off: () => void = proxy.on("request", ({ error, status }) => console.log(status, error?.message))
  proxy.on("close", off)
  const stored = await proxy.sessions.get("alice")
  console.log(stored?.url.length, (await proxy.sessions.list()).map(({ id }) => id), proxy.adminUrl?.length)
  return proxy
}

// @ts-expect-error A port is a number.
export const mistaken = createProxy({ port: "8080" })
`

/** What the compiler says of a program that uses the library. */
const complaints = (file: string, options: ts.CompilerOptions): ReadonlyArray<string> => {
  const strictly = {
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    target: ts.ScriptTarget.ES2022,
    types: ["node"],
  }
  const compiled = ts.createProgram([file], { ...strictly, ...options })
  return ts.getPreEmitDiagnostics(compiled).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))
}

const packed = Layer.scoped(Packed, install(["better-sqlite3", "effect", "@types/node", "undici-types"]))

layer(packed, { excludeTestServices: true, timeout: 60_000 })("the packed library, installed", (it) => {
  it.effect("is not heavier than it has to be", () =>
    Effect.map(Packed, ({ tarball }) => assert.isBelow(statSync(tarball).size, mostBytes)),
  )

  it.effect("lets nobody import what is inside of it", () =>
    Effect.gen(function* () {
      const { folder } = yield* Packed
      const { resolve } = createRequire(join(folder, "program.js"))
      assert.include(resolve("ss-proxy/package.json"), folder)
      for (const inside of ["ss-proxy/dist/index.js", "ss-proxy/dist/chunks", "ss-proxy/index.js"])
        assert.throws(() => resolve(inside), /is not defined by "exports"/)
    }),
  )

  it.effect("runs in a program of its user", () =>
    Effect.gen(function* () {
      const { folder } = yield* Packed
      writeFileSync(join(folder, "run.js"), 'console.log(Object.keys(await import("ss-proxy")).length > 20)')
      assert.deepInclude(yield* runTool(process.execPath, ["run.js"], { cwd: folder }), { code: 0, stdout: "true\n" })
    }),
  )

  it.effect(
    "has types that a program compiles with, by moduleResolution node16 and bundler",
    () =>
      Effect.gen(function* () {
        const { folder } = yield* Packed
        const file = join(folder, "program.ts")
        writeFileSync(file, program)
        const node16 = { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 }
        const bundler = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
        assert.deepStrictEqual(complaints(file, node16), [])
        // To compile takes seconds. The other way leads to the same types, so it is enough to see that it does.
        const typesBy = (options: ts.CompilerOptions, mode?: ts.ResolutionMode) =>
          ts.resolveModuleName("ss-proxy", file, options, ts.sys, undefined, undefined, mode).resolvedModule
            ?.resolvedFileName
        assert.match(typesBy(bundler) ?? "", /\/ss-proxy\/dist\/types\/index\.d\.ts$/)
        assert.strictEqual(typesBy(bundler), typesBy(node16, ts.ModuleKind.ESNext))
      }),
    60_000,
  )
})
