import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What a copy has, beside installed packages. */
const parts = [
  "src",
  "test",
  "scripts",
  "docs",
  "README.md",
  "README.zh.md",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
  ".oxfmtrc.json",
  ".oxlintrc.json",
]

/** The sources in a folder of their own, to be changed. */
export class ProjectCopy {
  readonly folder = mkdtempSync(join(tmpdir(), "ss-proxy-copy-"))

  constructor() {
    for (const part of parts) cpSync(join(root, part), join(this.folder, part), { recursive: true })
    // One link for each package, so that whatever is written there stays here. The last file says that all is installed.
    const modules = join(this.folder, "node_modules")
    mkdirSync(modules)
    for (const name of readdirSync(join(root, "node_modules")))
      if (name === ".bin" || !name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name))
    writeFileSync(join(modules, ".ss-proxy-installed"), "")
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), "utf8")
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.folder, file)), { recursive: true })
    writeFileSync(join(this.folder, file), text)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
