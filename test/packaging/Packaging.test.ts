import { Effect, Either } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { parseSessionFile } from "../../src/cli/sessions/SessionFile.js"
import { knownVariables } from "../../src/cli/UnknownVariables.js"
import { settings } from "../../src/domain/Settings.js"
import { AddressGuard } from "../../src/downstream/AddressGuard.js"

// What can be told of these files without a container, a cluster or GitHub. packaging/README.md says how the rest was tried.

const root = fileURLToPath(new URL("../../", import.meta.url))
const textOf = (file: string): string => readFileSync(join(root, file), "utf8")
const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath ?? entry.path, entry.name)
        .slice(root.length)
        .replaceAll("\\", "/"),
    )

interface Manifest {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly scripts: Readonly<Record<string, string>>
}
const { engines, scripts, version }: Manifest = JSON.parse(textOf("package.json"))

const packaging = filesIn("packaging")
const dockerfile = textOf("packaging/Dockerfile")
const compose = textOf("packaging/compose.yaml")
const deployment = textOf("packaging/kubernetes/deployment.yaml")

/** What stands behind each place where this is in a text. */
const each = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  [...text.matchAll(pattern)].map(([, found = ""]) => found)

/** The only one of them. */
const only = (text: string, pattern: RegExp): string => {
  const found = each(text, pattern)
  expect(found, String(pattern)).toHaveLength(1)
  return found[0] ?? ""
}

/** The seconds that a variable is set to in a text of YAML, in either form of the two that are used there. */
const secondsOf = (text: string, name: string): number =>
  Number(only(text, new RegExp(`\\b${name}(?:, value)?: "(\\d+)"`, "g")))

describe("what is in packaging/", () => {
  it.each(packaging)("sets variables that the program knows: %s", (file) => {
    for (const name of each(textOf(file), /\b(SS_PROXY_[A-Z_]+)\b/g)) expect(knownVariables).toContain(name)
  })

  it.each(packaging)("names the image by the version of the package: %s", (file) => {
    for (const tag of each(textOf(file), /\bss-proxy:(\d[\w.-]*)/g)) expect(tag).toBe(version)
  })
})

describe("the image", () => {
  it("says the version of the package", () => {
    expect(only(dockerfile, /image\.version="(.*?)"/g)).toBe(version)
    expect(only(textOf("packaging/kubernetes/kustomization.yaml"), /newTag: (.*)/g)).toBe(version)
  })

  it("is made of files that are there, and that .dockerignore lets in", () => {
    const letIn = each(textOf(".dockerignore"), /^!(.*)$/gm)
    const copied = each(dockerfile, /^COPY (?!--from)(.*) \S+$/gm).flatMap((files) => files.split(" "))
    expect(copied.toSorted()).toEqual(letIn.toSorted())
    for (const file of copied) expect(existsSync(join(root, file)), file).toBe(true)
  })

  it("names no database, so that SS_PROXY_DB can name PostgreSQL", () => {
    expect(dockerfile).not.toMatch(/^ENV .*SS_PROXY_DB/m)
  })
})

describe("the compose file", () => {
  it("gives the proxy more time to stop than it takes", () => {
    const time = Number(only(compose, /stop_grace_period: (\d+)s/g))
    expect(time * 1_000).toBeGreaterThan(
      secondsOf(compose, "SS_PROXY_GRACE") * 1_000 + settings.drainDelay.fallback + 1_000,
    )
  })

  it("has sessions that can be imported, and a server for each", async () => {
    const guard = new AddressGuard({ denyDownstream: [], allowDownstream: [] })
    const parsed = await Effect.runPromise(
      Effect.either(parseSessionFile(textOf("packaging/compose/sessions.json"), guard)),
    )
    const sessions = Either.getOrThrow(parsed)
    expect(sessions.length).toBeGreaterThan(0)
    const port = only(textOf("packaging/compose/server.mjs"), /^const port = (\d+)$/gm)
    for (const { url } of sessions) {
      const { hostname, port: asked } = new URL(url)
      expect(compose).toMatch(new RegExp(`^  ${hostname}:\\n    <<: \\*server$`, "m"))
      expect(asked).toBe(port)
    }
  })
})

describe("the manifests for Kubernetes", () => {
  it("give a pod more time to stop than the proxy takes", () => {
    const time = Number(only(deployment, /terminationGracePeriodSeconds: (\d+)/g))
    const taken = secondsOf(deployment, "SS_PROXY_DRAIN_DELAY") + secondsOf(deployment, "SS_PROXY_GRACE")
    expect(time).toBeGreaterThan(taken + 1)
  })

  it("keep the variables of the service named ss-proxy out of its pods, of which one would be taken for a setting", () => {
    expect(deployment).toMatch(/^ +enableServiceLinks: false$/m)
  })

  it("ask for probes that the listeners have", () => {
    const probes = [...deployment.matchAll(/httpGet: \{ path: (\S+), port: (\w+) \}/g)].map(
      ([, path, port]) => `${port} ${path}`,
    )
    expect(probes).toEqual(["admin /livez", "http /health", "admin /livez"])
    expect(deployment).toContain(`{ name: http, containerPort: ${settings.port.fallback} }`)
    expect(deployment).toContain(`{ name: admin, containerPort: ${secondsOf(deployment, "SS_PROXY_ADMIN_PORT")} }`)
  })

  it("run as the user of the image", () => {
    expect(only(deployment, /runAsUser: (\d+)/g)).toBe(only(dockerfile, /^USER (\d+):/gm))
  })

  it("are all named by the kustomization", () => {
    const named = each(textOf("packaging/kubernetes/kustomization.yaml"), /^ {2}- (\S+\.yaml)$/gm)
    const there = packaging
      .filter((file) => file.startsWith("packaging/kubernetes/") && !file.endsWith("kustomization.yaml"))
      .map((file) => file.slice("packaging/kubernetes/".length))
    expect(named.toSorted()).toEqual(there.toSorted())
  })
})

describe("the workflows for GitHub", () => {
  const workflows = filesIn(".github/workflows").map(textOf)
  const all = workflows.join("\n")

  it("use each action by one commit, and say which version that is", () => {
    const uses = each(all, /\buses: (.*)$/gm)
    for (const one of uses) expect(one).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
    const actions = new Set(uses.map((one) => one.split("@")[0]))
    expect(new Set(uses).size).toBe(actions.size)
  })

  it("let no job run for ever", () => {
    for (const workflow of workflows)
      expect(each(workflow, /^ {4}(timeout-minutes: )/gm).length).toBe(each(workflow, /^ {4}(runs-on: )/gm).length)
  })

  it("run scripts that there are", () => {
    for (const name of each(all, /\bnpm run ([\w:]+)/g)) expect(Object.keys(scripts)).toContain(name)
  })

  it("try the oldest Node that is supported, and newer ones", () => {
    const least = engines.node.replace(">=", "")
    expect(each(all, /\bnode: \[(.*)\]/g)).toEqual([`"${least}", "22", "24"`, `"${least}", "22", "24"`])
  })
})
