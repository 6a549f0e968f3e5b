import { assert, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { copyFileSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { blocksOf, recipes, root } from "../docs/Blocks.js"
import { describeUnless, lacking } from "../support/LeftOut.js"
import { unusedPort } from "../support/Listening.js"
import { Reader } from "./Recipe.js"

const examples = join(root, "docs/examples")

const withPrograms = (reader: Reader) =>
  Effect.sync(() => {
    for (const name of ["fleet.py", "server.py"]) copyFileSync(join(examples, name), join(reader.folder, name))
  })

/** A second fleet on the same database: it takes over the rows, stops who is idle, and leaves nothing when it ends. */
const life = (door: number) => `
door=http://127.0.0.1:${door}
python3 fleet.py --door ${door} --idle 1s --idle-every 1 2> fleet.log & fleet=$!
until curl -s -X PUT $door/bob > answer; do sleep 0.1; done
until grep -q 'bob: idle' fleet.log; do sleep 0.1; done
curl -s $door/
curl -s -X PUT $door/health
kill $fleet
wait $fleet
ss-proxy sessions list --json
`

/** A second run by mistake, on the port of the first; then the end of the first, while another program holds the database. */
const mistakes = (door: number) => `
door=http://127.0.0.1:${door}
python3 fleet.py --door ${door} 2> fleet.log & fleet=$!
until curl -s -X PUT $door/carol > answer; do sleep 0.1; done
until grep -q 'carol: ready' fleet.log; do sleep 0.1; done
python3 fleet.py --door ${door} 2> second.log || tail -n 1 second.log
ss-proxy sessions list --json | grep '"id"'
server=$(curl -s $door/ | grep -o '"pid": [0-9]*' | cut -d ' ' -f 2)
mkfifo held
python3 -c 'import sqlite3
held = sqlite3.connect("sessions.db", isolation_level=None)
held.execute("BEGIN IMMEDIATE")
open("held", "w").close()
open("held").read()' & holder=$!
read -r _ < held || true
kill $fleet
wait $fleet
kill -0 $server 2> gone || echo no orphan
: > held
wait $holder
`

describeUnless(["python3", "curl"].map(lacking).find(Boolean))("a server for each user", () => {
  it.scopedLive(
    "is registered when it listens, replaced when it crashes, and removed; idle ones are stopped, and all of them with the fleet",
    () =>
      Effect.gen(function* () {
        const reader = yield* Reader.follow(["A server for each user"], withPrograms)
        yield* reader.type("curl -s -X PUT http://127.0.0.1:8001/alice")
        const hello = "until curl -s http://localhost:8080/alice/ | grep Hello; do sleep 0.1; done"
        const first = yield* reader.type(hello)
        yield* reader.type(`kill $(curl -s http://127.0.0.1:8001/ | grep -o '"pid": [0-9]*' | cut -d ' ' -f 2)`)
        // The request may still find the first one.
        yield* Effect.repeat(reader.type(hello), { until: (second) => second !== first })
        const end = yield* reader.type(life(yield* unusedPort))
        expect(end).toBe('{}\n{"error": "a user has a name of small letters, digits and -"}\n[]\n')
        expect(yield* reader.type(mistakes(yield* unusedPort))).toMatch(
          /Address already in use\n +"id": "carol",\nno orphan\n$/,
        )
      }),
    60_000,
  )
})

describe("what the recipe shows of fleet.py", () => {
  const shown = blocksOf(recipes).filter(({ kind, language }) => language === "python" && kind === "not-run")

  it.each(shown.map(({ line, text }) => [line, text] as const))("is what stands there: line %i", (_, text) => {
    assert.include(readFileSync(join(examples, "fleet.py"), "utf8"), text)
  })
})
