import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../sessions/temporary.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { runTool } from "../support/Tool.js"
import { binary } from "../support/BuiltProgram.js"

// Numbers that need no names: the proxy's user, a fleet's, a stranger's, and the group that the first two share.
const [proxy, fleet, stranger, group] = [64_001, 64_002, 64_003, 64_010]

/** Runs a command of the program as somebody else. */
const as = (user: number, groups: ReadonlyArray<number>, folder: string, ...args: ReadonlyArray<string>) => {
  const identity = [
    "--reuid",
    `${user}`,
    "--regid",
    `${user}`,
    ...(groups.length > 0 ? ["--groups", groups.join()] : []),
  ]
  const whose = groups.length > 0 ? identity : [...identity, "--clear-groups"]
  const database = join(folder, "sessions.db")
  return runTool("setpriv", [...whose, process.execPath, binary, "sessions", ...args, "--db-path", database])
}

/** The folder and the empty file of docs/INSTALL.md. */
const prepared = Effect.map(temporaryFolder, (outer) => {
  const folder = join(outer, "ss-proxy")
  chmodSync(outer, 0o755)
  mkdirSync(folder)
  writeFileSync(join(folder, "sessions.db"), "")
  for (const [path, mode] of [
    [folder, 0o2770],
    [join(folder, "sessions.db"), 0o660],
  ] as const) {
    chownSync(path, proxy, group)
    chmodSync(path, mode)
  }
  return folder
})

const missing = process.getuid?.() === 0 ? lacking("setpriv") : "only root can become somebody else"

describeUnless(missing)("a database that is made for a group beforehand, as docs/INSTALL.md says", () => {
  it.scopedLive("is made by the proxy's user, written by another one of the group, and closed to strangers", () =>
    Effect.gen(function* () {
      const folder = yield* prepared
      const made = yield* as(proxy, [group], folder, "add", "alice", "http://localhost:9000")
      assert.deepStrictEqual([made.code, made.stderr], [0, ""])
      const changed = yield* as(fleet, [group], folder, "set", "alice", "--status", "online")
      assert.deepStrictEqual([changed.code, changed.stderr], [0, ""])
      const read = yield* as(proxy, [group], folder, "show", "alice")
      assert.include(read.stdout, "online")
      const refused = yield* as(stranger, [], folder, "list")
      assert.strictEqual(refused.code, 1)
      assert.strictEqual(statSync(join(folder, "sessions.db")).mode & 0o777, 0o660)
    }),
  )
})
