import { Data, Effect, type Scope } from "effect"
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { temporaryFolder } from "../sessions/temporary.js"
import { runTool } from "../support/Tool.js"

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

class NotInstalled extends Data.TaggedError("NotInstalled")<{ readonly message: string }> {}

const npm = (folder: string, args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { code, stderr, stdout } = yield* runTool("npm", [...args, "--loglevel=error"], { cwd: folder })
    if (code !== 0) yield* new NotInstalled({ message: `npm ${args.join(" ")}: ${stdout}${stderr}` })
  })

/** What a user has after `npm install ./ss-proxy-X.tgz`. */
export interface Installed {
  /** The user's folder, which holds `node_modules`. */
  readonly folder: string
  /** The program, as npm has put it there. */
  readonly program: string
  /** The tarball itself. */
  readonly tarball: string
}

/**
 * Packs what `npm publish` would send, with the build that there is, and installs it into an empty folder. `linked`: packages of
 * this project that the user has installed beside it; no registry is asked.
 */
export const install = (linked: ReadonlyArray<string>): Effect.Effect<Installed, NotInstalled, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    yield* npm(root, ["pack", "--ignore-scripts", "--pack-destination", folder])
    const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "")
    writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }')
    const quietly = ["--no-audit", "--no-fund", "--no-package-lock", "--no-update-notifier", "--ignore-scripts"]
    const cache = ["--offline", "--cache", join(folder, "cache")]
    yield* npm(folder, ["install", ...cache, ...quietly, "--omit=optional", tarball])
    for (const name of linked) {
      const place = join(folder, "node_modules", name)
      mkdirSync(dirname(place), { recursive: true })
      symlinkSync(join(root, "node_modules", name), place)
    }
    return { folder, program: join(folder, "node_modules", ".bin", "ss-proxy"), tarball }
  })
