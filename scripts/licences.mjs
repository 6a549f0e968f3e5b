// The licences of the packages whose code is built into dist/, as their licences ask for: `THIRD-PARTY-LICENSES.txt` there.
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./bundles.mjs"

export const licencesFile = "THIRD-PARTY-LICENSES.txt"

/** The folder of the package that a file is of; `undefined` for our own files. The last one counts: packages may hold packages. */
const packageFolderOf = (file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]

/** The folders of the packages of which anything is left in what esbuild has written. */
const foldersIn = (metafiles) => {
  const folders = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap(({ inputs }) => Object.entries(inputs))
    .flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? (packageFolderOf(file) ?? []) : []))
  return [...new Set(folders)]
}

/** The text of a package's licence: a file of its own, or the last section of its README. */
const textOf = (path) => {
  const names = readdirSync(path)
  const own = names.find((name) => /^licen[cs]e/i.test(name))
  if (own !== undefined) return readFileSync(join(path, own), "utf8").trim()
  const readme = readFileSync(
    join(
      path,
      names.find((name) => /^readme/i.test(name)),
    ),
    "utf8",
  )
  return /^#* *licen[cs]e\n(?:[=-]+\n)?(.*permission.*)$/ims.exec(readme)?.[1]?.trim()
}

const licenceOf = (folder) => {
  const path = join(root, folder)
  const { license, name, version } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"))
  const text = textOf(path)
  if (text === undefined) throw new Error(`no text of a licence was found in ${folder}`)
  return { title: `${name} ${version} (${license})`, text }
}

/** Writes the licences into a folder, each text once. `metafiles`: those of esbuild for all that is in the folder. */
export const writeLicences = (folder, metafiles) => {
  const byText = new Map()
  for (const { text, title } of foldersIn(metafiles).map(licenceOf))
    byText.set(text, [...(byText.get(text) ?? []), title].toSorted())
  const sections = [...byText]
    .map(([text, titles]) => `${titles.join("\n")}\n\n${text}\n`)
    .toSorted()
    .join(`\n${"-".repeat(80)}\n\n`)
  const head = "Code of these packages is built into ss-proxy. Their licences are:\n\n"
  writeFileSync(join(root, folder, licencesFile), head + sections)
}
