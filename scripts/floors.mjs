// Checks the floors of docs/ARCHITECTURE.md: a file may import only from its own folder or from a floor below, and
// imports must not be circular.
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const src = join(dirname(dirname(fileURLToPath(import.meta.url))), "src")

const floors = {
  domain: 0,
  step: 0,
  wire: 1,
  clock: 1,
  socket: 1,
  sessions: 2,
  telemetry: 3,
  transfer: 3,
  log: 4,
  traces: 4,
  traffic: 4,
  downstream: 5,
  http: 6,
  websocket: 6,
  server: 7,
  demo: 7,
  admin: 8,
  workers: 9,
  cli: 10,
  dashboard: 10,
  library: 10,
  ".": 11,
}

const files = readdirSync(src, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith(".ts"))

const folderOf = (file) => dirname(file).split(/[\\/]/)[0] ?? "."

const importsOf = (file) =>
  [...readFileSync(join(src, file), "utf8").matchAll(/(?:from|import\()\s*"(\.{1,2}\/[^"]+)\.js"/g)].map((match) =>
    relative(src, resolve(src, dirname(file), `${match[1]}.ts`)),
  )

const graph = new Map(files.map((file) => [file, importsOf(file)]))
const faults = []

for (const [file, targets] of graph) {
  for (const target of targets) {
    const from = floors[folderOf(file)]
    const to = floors[folderOf(target)]
    if (from === undefined || to === undefined) faults.push(`${file} or ${target}: its folder has no floor`)
    else if (folderOf(file) !== folderOf(target) && to >= from)
      faults.push(`${file} (floor ${from}) imports ${target} (floor ${to})`)
  }
}

const done = new Set()
const visit = (file, path) => {
  if (path.includes(file)) {
    faults.push(`circle: ${[...path.slice(path.indexOf(file)), file].join(" -> ")}`)
    return
  }
  if (done.has(file)) return
  for (const target of graph.get(file) ?? []) visit(target, [...path, file])
  done.add(file)
}
for (const file of files) visit(file, [])

if (faults.length > 0) {
  process.stderr.write(`${faults.join("\n")}\n`)
  process.exit(1)
}
process.stdout.write(`floors: ${files.length} files, no import goes up, no circles\n`)
